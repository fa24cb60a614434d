"""Run a program as an argv, never through a shell of ours, with bounded output."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import msgspec

from .errors import TakoError

__all__ = ["OUTPUT_LIMIT", "Result", "run"]

OUTPUT_LIMIT = 16 << 20  # bytes kept of one program's output: more is a mistake, and memory is not


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a program left behind: exit code (negative: the signal), standard output and error."""

    code: int = 0
    out: bytes = b""
    err: bytes = b""


async def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float = 60,
) -> Result:
    """Run a program to its end; it is killed after `timeout` seconds.

    Raises TakoError when it cannot be started, runs too long, or prints more than OUTPUT_LIMIT.
    """
    try:
        with anyio.fail_after(timeout):
            done = await anyio.run_process(argv, cwd=cwd, env=env, input=stdin, stderr=subprocess.PIPE, check=False)
    except FileNotFoundError as error:
        raise TakoError(f"{argv[0]} is not installed", hint=f"install {argv[0]} and try again") from error
    except OSError as error:
        raise TakoError(f"cannot start {argv[0]}: {error.strerror}") from error
    except TimeoutError as error:
        raise TakoError(f"{argv[0]} did not end within {timeout:.0f} s") from error
    if len(done.stdout) > OUTPUT_LIMIT:
        raise TakoError(f"{argv[0]} printed more than {OUTPUT_LIMIT} bytes")
    return Result(code=done.returncode, out=done.stdout, err=done.stderr)
