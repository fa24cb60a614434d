"""`tako serve`: check the options, then become init, which starts everything else."""

import os
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tako_modules.base.errors import TakoError, UsageError

from .options import ServeOptions, check

__all__ = ["init_argv", "launch"]

ACCESS_LOG = "TAKO_ACCESS_LOG"  # where workers, which may write nowhere else, log requests
WORKER_USER = "tako-proxy"
GROUP = "tako"


def launch(options: ServeOptions, program: Sequence[str]) -> None:
    """Replace this process by init; program: the argv prefix of tako. never returns but with TakoError."""
    check(options)
    _prepare(options)
    argv = init_argv(options, program)
    os.execve(argv[0], argv, os.environ)  # noqa: S606 - argv, no shell


def init_argv(options: ServeOptions, program: Sequence[str]) -> list[str]:
    """Give init's command line."""
    main = Path(__file__).with_name("init") / "main.py"
    text = msgspec.json.encode(options).decode()
    control = msgspec.json.encode([*program, "__control__", text]).decode()
    worker = msgspec.json.encode([*program, "__worker__"]).decode()
    listen = [item for name, port in _ports(options) for item in _listeners(options, name, port)]
    argv = [sys.executable, "-IS", str(main), *listen, "--socket", options.socket]
    argv += ["--workers", str(options.workers), "--control", control, "--worker", worker]
    argv += ["--worker-env", f"{ACCESS_LOG}={_access_log(options)}"]
    runtime = os.environ.get("TAKO_CACHE", "")
    if runtime:
        argv += ["--worker-env", f"TAKO_CACHE={runtime}"]
    if options.rootless:
        return [*argv, "--rootless"]
    return [*argv, "--group", GROUP, "--worker-user", WORKER_USER]


def _access_log(options: ServeOptions) -> Path:
    return options.data / "access" / "access.log"


def _ports(options: ServeOptions) -> tuple[tuple[str, int], ...]:
    return (("http", options.port), ("https", options.tls_port))


def _listeners(options: ServeOptions, name: str, port: int) -> list[str]:
    hosts = ("127.0.0.1", "[::1]") if options.loopback and socket.has_ipv6 else ("127.0.0.1",)
    if not options.loopback:
        hosts = ("[::]",)
    return [word for host in hosts for word in ("--listen", f"{name}={host}:{port}")]


def _prepare(options: ServeOptions) -> None:
    """Make the folders that init and control need."""
    try:
        folder = Path(options.socket).parent
        folder.mkdir(mode=0o700 if options.rootless else 0o750, parents=True, exist_ok=True)
        options.data.mkdir(mode=0o755, parents=True, exist_ok=True)
        log = _access_log(options).parent
        log.mkdir(mode=0o750, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make {error.filename}: {error.strerror}",
            hint="use --data-dir and --socket below a folder that is yours, e.g. /tmp/tako-data",
        ) from error
    if not options.rootless and os.geteuid() == 0:
        _check_users()
        shutil.chown(log, WORKER_USER, GROUP)


def _check_users() -> None:
    import grp
    import pwd

    try:
        grp.getgrnam(GROUP)
        pwd.getpwnam(WORKER_USER)
    except KeyError as error:
        raise TakoError(
            f"this machine is not set up as a server: {error.args[0]}",
            hint="run `tako servers add root@<this machine>`, or `tako serve --rootless` to run as one user",
        ) from error
