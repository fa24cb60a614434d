"""server_info: how the server was started and what it uses."""

import os

from tako_modules.mgmt.server import Call
from tako_modules.protocol.messages import ServerInfo
from tako_modules.protocol.replies import ServerInfoData

from ..control import Control

__all__ = ["answer"]


async def answer(request: ServerInfo, call: Call, control: Control) -> ServerInfoData:
    """Describe the server."""
    options = control.options
    pids = {"control": os.getpid(), "init": os.getppid()}
    pids.update({f"worker-{one.child.id}": one.child.pid for one in control.feeds})
    return ServerInfoData(
        mode="normal",
        socket=options.socket,
        data_dir=options.data_dir,
        http_port=options.port,
        https_port=options.tls_port,
        no_acme=options.no_acme,
        rootless=options.rootless,
        server_version=control.version,
        build=control.build,
        instance_port_offset=options.instance_port_offset,
        acme_staging=options.acme_staging,
        acme_email=options.acme_email,
        renewal_interval_hours=options.renewal_interval_hours,
        workers=options.workers,
        uptime_seconds=round(control.clock.monotonic() - control.started_at, 1),
        free_bytes=control.host.free_bytes(),
        pids=pids,
    )
