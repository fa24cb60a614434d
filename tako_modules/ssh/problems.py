"""Foreign exceptions of a connection, in words for a person: what happened, why, and what to type."""

import errno
import shlex
import socket

from tako_modules.base.errors import ConfigError, TakoError, Unreachable

from .library import asyncssh
from .login import Login, LoginRefused

__all__ = ["CONNECTION_ERRORS", "CONNECT_SECONDS", "add_command", "ended", "explain", "ssh_command"]

CONNECT_SECONDS = 30  # until a host has answered and let us in
CONNECTION_ERRORS = (OSError, asyncssh.Error, asyncssh.ConfigParseError, ValueError, RuntimeError)
_REASONS: dict[int, tuple[str, str]] = {
    errno.ECONNREFUSED: ("refuses connections on port {port}", "check that sshd runs there, and the port"),
    errno.EHOSTUNREACH: ("cannot be reached: there is no way to it", "check the address and your network"),
    errno.ENETUNREACH: ("cannot be reached: this machine has no way to it", "check your network"),
    errno.ECONNRESET: ("closed the connection at once on port {port}", "check that it is an SSH server's port"),
    errno.EADDRNOTAVAIL: ("has an address that cannot be reached from here", "check the address"),
}


def explain(error: Exception, login: Login, port: int, tried: str) -> TakoError:
    """Word an error of connecting; tried: which keys were offered."""
    name, by_hand = login.label, ssh_command(login, port)
    if isinstance(error, asyncssh.ConfigParseError):
        hint = f"correct ~/.ssh/config; `{by_hand}` reads it too"
        return ConfigError(f"the SSH configuration cannot be read: {error}", hint=hint)
    if isinstance(error, asyncssh.PermissionDenied):
        return _refused(login, tried)
    if isinstance(error, asyncssh.KeyExchangeFailed):
        hint = f"update its sshd; `{by_hand} -v` shows what it offers"
        return Unreachable(f"{name} and this tako have no algorithm in common: {error.reason}", hint=hint)
    if isinstance(error, asyncssh.DisconnectError):
        return _disconnected(error, login, tried)
    if isinstance(error, asyncssh.ChannelOpenError):
        return Unreachable(f"{name} cannot be reached through its jump host: {error.reason}", hint=f"try `{by_hand}`")
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"{name} did not answer on port {port} within {CONNECT_SECONDS} s",
            hint=f"check the address, and that no firewall drops the connection; try `{by_hand}`",
        )
    if isinstance(error, socket.gaierror):
        return Unreachable(
            f"the name {login.host} cannot be resolved: {error.strerror}",
            hint=f"check its spelling, or use the address; try `{by_hand}`",
        )
    if isinstance(error, OSError):
        return _network(error, name, port, by_hand)
    hint = f"check ~/.ssh/config and the variables HOME and USER; try `{by_hand}`"
    return Unreachable(f"cannot log in to {name}: {error}", hint=hint)


def ended(name: str, error: Exception | None = None) -> Unreachable:
    """Word the loss of a connection that stood."""
    reason = f": {error}" if error is not None and str(error) else ""
    return Unreachable(
        f"the connection to {name} ended{reason}",
        hint="check your network, look with `tako status` what was done, and run the same command again",
    )


def add_command(login: Login, user: str) -> str:
    """Write the command that adds a server: with its name and port as they were typed; user: "" for none."""
    words = ["tako", "servers", "add", f"{user}@{login.host}" if user else login.host]
    words += ["--port", str(login.port)] * (login.port != asyncssh.DEFAULT_PORT)
    words += ["--name", login.name] * bool(login.name)
    return shlex.join(words)


def ssh_command(login: Login, port: int) -> str:
    """Give the command that tries the same login without us."""
    address = f"{login.user}@{login.host}" if login.user else login.host
    return f"ssh -p {port} {address}"


def _refused(login: Login, tried: str) -> TakoError:
    who = f"{login.user}@{login.label}" if login.user else login.label
    return LoginRefused(
        f"{who} does not let us in; tried: {tried}",
        hint=f"try `{ssh_command(login, login.port)}`; add your public key to its authorized_keys, load it with "
        "`ssh-add`, or set TAKO_SSH_KEY and TAKO_SSH_KEY_PASSPHRASE",
    )


def _disconnected(error: asyncssh.DisconnectError, login: Login, tried: str) -> TakoError:
    if error.code == asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE or "authentication failures" in error.reason:
        return _refused(login, tried)
    hint = f"try `{ssh_command(login, login.port)}`"
    return Unreachable(f"{login.label} ended the connection: {error.reason}", hint=hint)


def _network(error: OSError, name: str, port: int, by_hand: str) -> TakoError:
    number = error.errno or 0
    if "Multiple exceptions" in str(error) or number not in _REASONS:
        return Unreachable(
            f"{name} cannot be reached on port {port}: {error.strerror or error}",
            hint=f"check the address; try `{by_hand}`",
        )
    what, hint = _REASONS[number]
    return Unreachable(f"{name} {what.format(port=port)}", hint=f"{hint}; try `{by_hand}`")
