"""An app that tries to reach what is not its own and tells the end: `POST /` with a JSON list of [attempt, target].

Each answer is an error's name (EACCES), or `got: ...` where the attempt succeeded. `GET /env` gives its environment,
`GET /self` what it may do: user, groups, capabilities, open descriptors.
"""

import ctypes
import errno
import json
import os
import socket
import sqlite3
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PTRACE_ATTACH = 16
libc = ctypes.CDLL(None, use_errno=True)


def read(target: str) -> str:
    """Read the start of a file."""
    with open(target, "rb") as file:
        return repr(file.read(64))


def append(target: str) -> str:
    """Open a file for appending; make it when it is missing."""
    with open(target, "ab"):
        return "opened for writing"


def connect(target: str) -> str:
    """Connect to a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(target)
    return "connected"


def signal(target: str) -> str:
    """Ask whether a process may be signalled."""
    os.kill(int(target), 0)
    return "may signal"


def attach(target: str) -> str:
    """Attach to a process as a debugger does."""
    if libc.ptrace(PTRACE_ATTACH, int(target), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    return "attached"


def query(target: str) -> str:
    """Read a SQLite database."""
    with sqlite3.connect(f"file:{target}?mode=ro", uri=True) as database:
        return repr(database.execute("SELECT name FROM sqlite_master").fetchall())


def become(target: str) -> str:
    """Become another user."""
    os.setuid(int(target))
    return "became"


ATTEMPTS: dict[str, Callable[[str], str]] = {
    "read": read,
    "list": lambda target: repr(list(Path(target).iterdir())),
    "link": lambda target: str(Path(target).readlink()),
    "append": append,
    "connect": connect,
    "signal": signal,
    "attach": attach,
    "query": query,
    "become": become,
}


def attempt(kind: str, target: str) -> str:
    """Try one thing and give its end as a word."""
    try:
        return f"got: {ATTEMPTS[kind](target)}"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except sqlite3.Error as error:
        return str(error)


def own() -> dict[str, object]:
    """Tell what this process may do."""
    words = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    kept = {name: words[name] for name in ("Uid", "Gid", "Groups", "CapEff", "CapPrm", "CapBnd", "NoNewPrivs")}
    umask = os.umask(0o077)
    descriptors = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    return {**kept, "umask": umask, "descriptors": descriptors}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer /env and /self; anything else is well."""
        self._answer({"/env": lambda: dict(os.environ), "/self": own}.get(self.path, dict)())

    def do_POST(self) -> None:
        """Try what is asked for."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer([attempt(kind, target) for kind, target in asked])

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet: the test reads answers, not logs."""


if __name__ == "__main__":
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
