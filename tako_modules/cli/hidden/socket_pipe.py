"""`__socket__ [PATH]`: the remote end of an SSH connection: its stdin and stdout become the management socket."""

from tako_modules.mgmt.socket_pipe import pipe_stdio

__all__ = ["run"]

DEFAULT = "/var/run/tako/tako.sock"  # base.paths.SOCKET, which costs more to import than all the rest of this command


def run(arguments: list[str]) -> int:
    """Join stdio and the socket until either side ends; returns the exit code."""
    return pipe_stdio(arguments[0] if arguments else DEFAULT)
