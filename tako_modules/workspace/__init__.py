"""The window to the user's files: a project's tako.toml, `.tako/` state and lock, and the inventory in TAKO_HOME."""
