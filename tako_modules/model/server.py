"""A machine of the user's inventory."""

import msgspec

__all__ = ["LOCAL", "SSH_PORT", "Server"]

SSH_PORT = 22
LOCAL = "local"  # the built-in server: this machine, without SSH


class Server(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the inventory; admin: the login that `servers add` used, root or a user with sudo."""

    name: str
    host: str
    port: int = SSH_PORT
    user: str = "tako"
    admin: str = ""
    description: str = ""
    arch: str = ""
    libc: str = ""
    python: str = ""

    @property
    def address(self) -> str:
        """Words for people: user@host:port, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.name if self.name == LOCAL else f"{self.user}@{host}:{self.port}"
