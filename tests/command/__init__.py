"""The test command's parts, standard library only: machine, environment, phases; entered by `python3 -m tests`."""
