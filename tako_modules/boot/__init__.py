"""The archive's `_bootstrap`: from a started file to an imported runtime, standard library alone; nobody enters."""
