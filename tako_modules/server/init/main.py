"""Start init from this very file: `python3 -IS <runtime>/tako_modules/server/init/main.py OPTIONS`."""

import sys

PLACE = "tako_modules/server/init/main.py"


def main() -> int:
    """Run init; returns its exit code.

    Started by path with -IS, the interpreter knows the standard library only. The runtime's folder goes to the END of
    the search path, so that no installed package can take the name of a standard module.
    """
    sys.path.append(__file__.removesuffix(PLACE))
    from tako_modules.server.init import begin

    return begin.run(__file__, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
