"""The door: words become calls, outcomes become words and exit codes; `tako.py` and the boot enter."""
