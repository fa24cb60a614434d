"""Which operation answers which message: the literal table."""

from collections.abc import Awaitable, Callable

import msgspec

from tako_modules.mgmt.server import Call
from tako_modules.protocol import messages

from ..control import Control
from . import (
    cancel,
    delete,
    deploy,
    hello,
    info,
    lease,
    logs,
    overview,
    prepare,
    release,
    releases,
    restart,
    rollback,
    scale,
    start,
    status,
    stop,
    upload,
)

__all__ = ["OPERATIONS", "Operation"]

Operation = Callable[..., Awaitable[msgspec.Struct]]

OPERATIONS: dict[type[messages.Request], Operation] = {
    messages.Hello: hello.answer,
    messages.Lease: lease.answer,
    messages.Upload: upload.answer,
    messages.Prepare: prepare.answer,
    messages.RunRelease: release.answer,
    messages.Deploy: deploy.answer,
    messages.Rollback: rollback.answer,
    messages.Scale: scale.answer,
    messages.Restart: restart.answer,
    messages.Reload: restart.answer,
    messages.Stop: stop.answer,
    messages.Start: start.answer,
    messages.Delete: delete.answer,
    messages.Cancel: cancel.answer,
    messages.Status: status.answer,
    messages.List: overview.answer_list,
    messages.Routes: overview.answer_routes,
    messages.ListReleases: releases.answer,
    messages.Logs: logs.answer,
    messages.ServerInfo: info.answer,
}


async def answer(request: messages.Request, call: Call, control: Control) -> msgspec.Struct:
    """Answer one request."""
    return await OPERATIONS[type(request)](request, call, control)
