"""Tests of Tako: a folder per room, `house` for the architecture, `kit` for what is shared, `e2e` for the built file."""
