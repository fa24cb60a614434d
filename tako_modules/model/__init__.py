"""Nouns: frozen values and their transition tables, with no I/O, no clock and no chance; every room above may enter."""
