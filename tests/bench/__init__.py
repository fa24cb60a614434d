"""Measures: one command that compares Tako with the programs people know, on this machine and in one run."""
