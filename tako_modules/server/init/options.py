"""The command line of init, checked once."""

import argparse
import json
import os
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["MANAGEMENT", "Address", "Options", "at", "parse"]

LISTENERS = 32  # descriptors a worker is given: far more than ports anybody serves, far below NOFILE
WORKERS = 256  # data-plane processes: more than the cores of the largest machines worth one server
PORTS = 65535
MANAGEMENT = "mgmt"  # the management socket's own name among the listeners


class Address(NamedTuple):
    """One `--listen`: the name that workers know it by, and where it is; an empty host means every address."""

    name: str
    host: str
    port: int

    @property
    def key(self) -> str:
        """Name it by its address, so that a changed port never finds the old socket."""
        return f"{self.name}={at(self.host, self.port)}"


class Options(NamedTuple):
    """What init was told on its command line."""

    listen: tuple[Address, ...]
    socket: str
    group: str
    worker_user: str
    workers: int
    worker_env: tuple[tuple[str, str], ...]
    control: tuple[str, ...]
    worker: tuple[str, ...]
    reuse_port: bool
    rootless: bool
    state: int | None
    check: bool


def at(host: str, port: int) -> str:
    """Write an address as HOST:PORT, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse(argv: Sequence[str]) -> Options:
    """Read the command line; a mistake ends the process with code 2 and one line that names it."""
    parser = _parser()
    given = parser.parse_args(list(argv))
    options = Options(
        listen=tuple(given.listen),
        socket=given.socket,
        group=given.group,
        worker_user=given.worker_user,
        workers=given.workers,
        worker_env=tuple(given.worker_env),
        control=given.control,
        worker=given.worker,
        reuse_port=given.reuse_port,
        rootless=given.rootless or os.geteuid() != 0,
        state=given.state,
        check=given.check,
    )
    if problem := _problem(options):
        parser.error(problem)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="init", allow_abbrev=False)
    parser.add_argument("--listen", action="append", default=[], type=_address, metavar="NAME=HOST:PORT")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--group", default="")
    parser.add_argument("--worker-user", default="")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--worker-env", action="append", default=[], type=_variable, metavar="NAME=VALUE")
    parser.add_argument("--control", required=True, type=_argv, metavar="ARGV-JSON")
    parser.add_argument("--worker", required=True, type=_argv, metavar="ARGV-JSON")
    parser.add_argument("--reuse-port", action="store_true")
    parser.add_argument("--rootless", action="store_true")
    parser.add_argument("--state", type=int, help=argparse.SUPPRESS)  # init's own, at a re-exec
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    return parser


def _problem(options: Options) -> str:
    keys = [address.key for address in options.listen]
    if len(keys) > LISTENERS:
        return f"argument --listen: more than {LISTENERS} listeners"
    if len(set(keys)) < len(keys):
        return "argument --listen: an address is named twice"
    if options.workers and not options.rootless and not options.worker_user:
        return "argument --worker-user is needed: workers never run as root by default"
    if not 0 <= options.workers <= WORKERS:
        return f"argument --workers: not between 0 and {WORKERS}"
    return ""


def _address(text: str) -> Address:
    name, equals, rest = text.partition("=")
    host, colon, port = rest.rpartition(":")
    plain = host.removeprefix("[").removesuffix("]")
    bracketed = host == f"[{plain}]"
    if not (equals and colon and name.isidentifier() and port.isdecimal() and int(port) <= PORTS):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=HOST:PORT")
    if bracketed != (":" in plain):
        raise argparse.ArgumentTypeError(f"{text!r}: an IPv6 address, and only that, stands in brackets")
    if name == MANAGEMENT:
        raise argparse.ArgumentTypeError(f"{text!r}: the name {MANAGEMENT} is taken by the management socket")
    return Address(name, plain, int(port))


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _argv(text: str) -> tuple[str, ...]:
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a JSON list of words")
    return tuple(value)
