"""Who is at the other end of a Unix socket, as the kernel tells it, and who of them may come in."""

import array
import errno
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from tako_modules.base.errors import TakoError

__all__ = ["Peer", "UnknownPeer", "members", "peer_of"]

SO_PEERGROUPS = 59  # Linux: not in Python's socket module
GROUPS_BYTES = 1024  # Python's own bound on what getsockopt may return: 256 groups
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Peer:
    """A process that connected: its ids when it did; groups: the supplementary ones, without `gid`."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int] = frozenset()

    def in_group(self, gid: int) -> bool:
        """Tell whether the process is in a group, by its primary id or a supplementary one."""
        return gid == self.gid or gid in self.groups


class UnknownPeer(TakoError):
    """The kernel does not tell enough about a peer to let it in."""

    code = "denied"


def peer_of(connection: socket.socket) -> Peer:
    """Ask the kernel for a peer's credentials (SO_PEERCRED, SO_PEERGROUPS); raises UnknownPeer."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, gid = _CREDENTIALS.unpack(raw)
        groups = array.array("I", connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, GROUPS_BYTES))
    except OSError as error:
        if error.errno == errno.ERANGE:
            raise UnknownPeer(
                f"the user is in more than {GROUPS_BYTES // 4} groups, which cannot be read from a socket",
                hint="use a user that is in fewer groups",
            ) from error
        raise UnknownPeer(f"the kernel does not tell who connects: {error.strerror}") from error
    return Peer(pid=pid, uid=uid, gid=gid, groups=frozenset(groups))


def members(*, uids: frozenset[int], gid: int | None) -> Callable[[Peer], str | None]:
    """Make the rule of a socket: these users, and the members of this group; it gives the reason for a no."""

    def allowed(peer: Peer) -> str | None:
        if peer.uid in uids or (gid is not None and peer.in_group(gid)):
            return None
        if gid is None:
            return f"this server belongs to another user: uid {peer.uid} may not use it"
        return f"uid {peer.uid} is neither root nor in the group with gid {gid}"

    return allowed
