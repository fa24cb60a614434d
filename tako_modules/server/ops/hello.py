"""hello: who is this server, and do we speak the same protocol?"""

import os

from tako_modules.base.errors import Refused
from tako_modules.mgmt.server import Call
from tako_modules.protocol.messages import Hello
from tako_modules.protocol.replies import HelloData
from tako_modules.protocol.version import CAPABILITIES, PROTOCOL

from ..control import Control

__all__ = ["answer"]


async def answer(request: Hello, call: Call, control: Control) -> HelloData:
    """Introduce the server; raises Refused when the protocols differ."""
    if request.protocol_version != PROTOCOL:
        raise Refused(
            f"the client speaks protocol {request.protocol_version}, this server (tako {control.version}) "
            f"speaks {PROTOCOL}",
            code="version",
            hint="run `tako servers upgrade`, or use the tako that set this server up",
        )
    return HelloData(
        protocol_version=PROTOCOL,
        server_version=control.version,
        build=control.build,
        capabilities=CAPABILITIES,
        pid=os.getpid(),
    )
