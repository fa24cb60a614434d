"""The command `tako`, from a checkout: `python3 tako.py VERB …`, or `python3 -m tako VERB …`."""

import sys

from tako_modules.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
