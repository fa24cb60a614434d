"""Projects that tests deploy: the echo app, or a start command of the test's own."""

import json
from collections.abc import Sequence
from pathlib import Path

__all__ = ["local_project", "project"]

ECHO = Path(__file__).parent / "apps" / "echo" / "app.py"
ECHO_START = ("python3", "app.py")


def project(
    name: str,
    folder: Path,
    *lines: str,
    host: str = "",
    servers: Sequence[str] = ("la",),
    start: str = "",
    top: str = "",
    tail: str = "",
) -> Path:
    """Write a project that runs the echo app, or has the line `start`; `lines` go into [vars], `tail` to the end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_bytes(ECHO.read_bytes())
    variables = "\n".join(lines)
    tables = "\n".join(f'[servers.{server}]\nenv = "production"\n{tail}' for server in servers)
    begin = start or f"start = {json.dumps(ECHO_START)}"
    (folder / "tako.toml").write_text(
        f'name = "{name}"\nruntime = "command"\n{begin}\n{top}\n[vars]\n{variables}\n'
        f'[envs.production]\nroute = "{host or name + ".bed.test"}"\n{tables}\n'
    )
    return folder


def local_project(name: str, folder: Path, *lines: str, start: str = "", top: str = "", tail: str = "") -> Path:
    """Write a project for `local`, at a name that is always this machine."""
    host = f"{name}.localhost"
    return project(name, folder, *lines, host=host, servers=("local",), start=start, top=top, tail=tail)
