"""The test command: `python3 -m tests [check|fix|unit|file|bed|e2e|alone|bench ...] [--all]`; no word: everything.

Any python3 from 3.11 will do and nothing else is needed: what is missing is installed first.
"""

import argparse
import sys
from collections.abc import Sequence

from .command import environment, phases
from .command.trouble import Trouble

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Run the phases that were asked for; 0 when all of them passed, 1 otherwise, 2 when they could not be run."""
    parser = argparse.ArgumentParser(
        prog="python3 -m tests", description="Test Tako: install what is missing, then run."
    )
    parser.add_argument("phase", nargs="*", help=f"{', '.join(phases.PHASES)}; default: {', '.join(phases.EVERYTHING)}")
    parser.add_argument("--all", action="store_true", help="also run the tests marked slow")
    options, rest = parser.parse_known_args(arguments)
    if rest and "bench" not in options.phase:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if unknown := sorted(set(options.phase) - phases.PHASES.keys()):
        parser.error(f"no phase is called {', '.join(unknown)}; choose from {', '.join(phases.PHASES)}")
    try:
        environment.prepare()
        outcomes = phases.run(options.phase or phases.EVERYTHING, slow=options.all, rest=rest)
    except Trouble as trouble:
        print(f"tests: {trouble}\ntests: {trouble.hint}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    report(outcomes)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def report(outcomes: Sequence[phases.Outcome]) -> None:
    """Print one line per phase with its minutes, and pytest's closing lines below."""
    print("\n── minutes")
    for outcome in outcomes:
        print(f"{'ok    ' if outcome.passed else 'FAILED'}  {outcome.name:<6} {outcome.seconds / 60:6.2f}")
        for word in outcome.words:
            print(f"          {word}")
    print(f"        {'all':<6} {sum(outcome.seconds for outcome in outcomes) / 60:6.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
