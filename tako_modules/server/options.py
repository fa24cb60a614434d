"""How `tako serve` was called: checked once, then handed to init and control as one JSON value."""

from pathlib import Path

import msgspec

from tako_modules.base.errors import UsageError

__all__ = ["ServeOptions", "check"]

PORTS = range(65536)
LARGEST_OFFSET = 30000  # instance ports 20000-29999 plus this stay below 60000
MOST_WORKERS = 64


class ServeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of `tako serve`; authority: the folder of the local CA that signs for private names, "" for none."""

    socket: str = "/var/run/tako/tako.sock"
    port: int = 80
    tls_port: int = 443
    data_dir: str = "/opt/tako"
    rootless: bool = False
    loopback: bool = False
    no_acme: bool = False
    acme_staging: bool = False
    acme_email: str = ""
    acme_directory: str = ""
    renewal_interval_hours: int = 12
    instance_port_offset: int = 0
    workers: int = 1
    authority: str = ""

    @property
    def data(self) -> Path:
        """The data directory."""
        return Path(self.data_dir)


def check(options: ServeOptions) -> None:
    """Refuse options that cannot work; raises UsageError."""
    for name, port in (("--port", options.port), ("--tls-port", options.tls_port)):
        if port not in PORTS:
            raise UsageError(f"{name} {port} is not a port", hint=f"use {name} with a number from 1 to 65535")
    if options.port == options.tls_port and options.port:
        raise UsageError("--port and --tls-port are the same", hint="use for example --port 80 --tls-port 443")
    if not 0 <= options.instance_port_offset <= LARGEST_OFFSET:
        raise UsageError(
            f"--instance-port-offset must be from 0 to {LARGEST_OFFSET}", hint="use --instance-port-offset 10000"
        )
    if not 1 <= options.workers <= MOST_WORKERS:
        raise UsageError(f"--workers must be from 1 to {MOST_WORKERS}", hint="leave it out for one per core, at most 8")
    for name, path in (("--socket", options.socket), ("--data-dir", options.data_dir)):
        if not Path(path).is_absolute():
            raise UsageError(f"{name} {path} is not an absolute path", hint=f"use {name} {Path(path).absolute()}")
