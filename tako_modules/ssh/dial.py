"""Logging in: the user's configuration, jump hosts, host keys and keys, and one more try where an answer helps."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import anyio

from tako_modules.base.errors import Unreachable

from . import keys, problems
from .keys import Identities, Keys
from .library import asyncssh
from .login import Access, Login
from .session import Session
from .trust import Judge

__all__ = ["connect", "login_key"]

KEEPALIVE_SECONDS = 15
KEEPALIVE_COUNT = 3  # unanswered: the host, or the way to it, is gone after 45 s
HOPS = 5  # jump hosts of jump hosts: more is a loop in the configuration
ATTEMPTS = 8  # one per kind of host key, one with an answer about it, one with a passphrase, and one to spare
CLOSE_SECONDS = 2.0  # for a polite goodbye; then the connection is dropped


@dataclass(frozen=True, slots=True)
class _Way:
    """What `~/.ssh/config` makes of a login; host: as it is named in known_hosts; jumps: in order."""

    host: str
    port: int
    user: str
    jumps: tuple[Login, ...]
    identities: Identities
    known_hosts: tuple[str, ...]


@asynccontextmanager
async def connect(login: Login, access: Access) -> AsyncIterator[Session]:
    """Log in on a host and give the session while the block runs.

    Raises Unreachable (network, host key, no key fits), ConfigError (`~/.ssh/config`), TakoError (TAKO_SSH_KEY).
    """
    async with AsyncExitStack() as stack:
        connection, user = await _reach(login, access, stack, None, HOPS)
        yield Session(connection, login, user)


def login_key(session: Session) -> str:
    """Write the public key that let us in as in an authorized_keys file; "" when it was a certificate of the agent."""
    judge = session.connection.get_owner()
    assert isinstance(judge, Judge), "every session of this room has one"
    return keys.public_line(judge.last_offer) if judge.last_offer is not None else ""


async def _reach(
    login: Login,
    access: Access,
    stack: AsyncExitStack,
    through: asyncssh.SSHClientConnection | None,
    hops: int,
) -> tuple[asyncssh.SSHClientConnection, str]:
    way = _way(login, access)
    for jump in way.jumps if through is None else ():
        if hops == 0:
            raise Unreachable(
                f"{login.label} is behind more than {HOPS} jump hosts", hint="look for a loop in ~/.ssh/config"
            )
        through, _ = await _reach(jump, access, stack, through, hops - 1)
    connection = await _log_in(login, way, access, through)
    stack.push_async_callback(_close, connection)
    return connection, way.user


def _way(login: Login, access: Access) -> _Way:
    """Read `~/.ssh/config` for a login; no key is loaded for that."""
    try:
        options = asyncssh.SSHClientConnectionOptions(client_keys=None, agent_path=None, **_address(login, access))
    except problems.CONNECTION_ERRORS as error:
        raise problems.explain(error, login, login.port, "") from error
    config = options.config
    jump = str(config.get("ProxyJump", "") or "")
    return _Way(
        host=options.host_key_alias or options.host,
        port=options.port,
        user=options.username,
        jumps=tuple(_jump(each) for each in jump.split(",") if each.strip().lower() not in ("", "none")),
        identities=Identities(
            files=_words(config.get("IdentityFile", ())),
            only=bool(config.get("IdentitiesOnly", False)),
            agent=str(config.get("IdentityAgent", "") or access.environment.get("SSH_AUTH_SOCK", "")),
        ),
        known_hosts=_words(config.get("UserKnownHostsFile", ())),
    )


def _words(value: object) -> tuple[str, ...]:
    """Read a configuration value that may be given several times."""
    return tuple(str(each) for each in value) if isinstance(value, list | tuple) else ()


def _address(login: Login, access: Access) -> dict[str, object]:
    """Name the host as asyncssh wants it: what is not given here may stand in the configuration."""
    address: dict[str, object] = {
        "host": login.host,
        "config": [str(access.config)] if access.config.is_file() else [],
    }
    if login.port != asyncssh.DEFAULT_PORT:
        address["port"] = login.port
    if login.user:
        address["username"] = login.user
    return address


def _jump(text: str) -> Login:
    """Read one jump host: [user@]host[:port], the host in brackets where it is an IPv6 address."""
    user, _, address = text.strip().rpartition("@")
    host, _, port = address.rpartition(":")
    if not port.isdigit() or (":" in host and not host.endswith("]")):
        host, port = address, ""
    return Login(host=host.strip("[]"), port=int(port) if port else asyncssh.DEFAULT_PORT, user=user)


async def _log_in(
    login: Login, way: _Way, access: Access, through: asyncssh.SSHClientConnection | None
) -> asyncssh.SSHClientConnection:
    judge = Judge(login, way.host, way.port, access, way.known_hosts)
    found = keys.find_keys(access, way.identities)
    for _ in range(ATTEMPTS):
        try:
            connection = await _attempt(login, access, judge, found, through)
        except asyncssh.HostKeyNotVerifiable as error:
            await judge.settle(error.reason)
        except asyncssh.PermissionDenied as error:
            opened = await keys.unlock(found, access)
            if opened is None:
                raise problems.explain(error, login, way.port, found.tried) from error
            found = opened
        except problems.CONNECTION_ERRORS as error:
            if judge.mismatch is not None:  # the host has no key of another kind
                raise judge.mismatch from error
            raise problems.explain(error, login, way.port, found.tried) from error
        else:
            judge.remember()
            return connection
    raise Unreachable(f"{login.label} did not let us in after {ATTEMPTS} attempts")


async def _attempt(
    login: Login, access: Access, judge: Judge, found: Keys, through: asyncssh.SSHClientConnection | None
) -> asyncssh.SSHClientConnection:
    async with keys.with_agent(found) as offered:
        judge.offer(offered)
        return await asyncssh.connect(
            **_address(login, access),
            tunnel=through,
            client_factory=lambda: judge,
            known_hosts=judge.known_keys,
            server_host_key_algs=judge.algorithms(),
            client_keys=None,
            agent_path=None,
            preferred_auth="publickey",
            password_auth=False,
            kbdint_auth=False,
            gss_host=None,
            connect_timeout=problems.CONNECT_SECONDS,
            login_timeout=problems.CONNECT_SECONDS,
            keepalive_interval=KEEPALIVE_SECONDS,
            keepalive_count_max=KEEPALIVE_COUNT,
            x509_trusted_certs=None,
        )


async def _close(connection: asyncssh.SSHClientConnection) -> None:
    connection.close()
    with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_SECONDS) as goodbye:
        await connection.wait_closed()
    if goodbye.cancelled_caught:
        connection.abort()
