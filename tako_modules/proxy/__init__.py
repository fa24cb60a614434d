"""The data plane's workers: they know the newest snapshot, forward requests, and report; `main.run` is the one door."""
