"""How each kind of app is recognised, built, installed and started: one module per runtime, listed in `catalog`."""
