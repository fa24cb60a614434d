"""hello: who is this server, and do we speak the same protocol?"""

import os

from tako_modules.mgmt.server import Call
from tako_modules.protocol.messages import Hello
from tako_modules.protocol.replies import HelloData
from tako_modules.protocol.version import CAPABILITIES, PROTOCOL

from ..control import Control

__all__ = ["answer"]


async def answer(request: Hello, call: Call, control: Control) -> HelloData:
    """Introduce the server; a client of another protocol goes by what it is told, for it alone knows its own words."""
    return HelloData(
        protocol_version=PROTOCOL,
        server_version=control.version,
        build=control.build,
        capabilities=CAPABILITIES,
        pid=os.getpid(),
    )
