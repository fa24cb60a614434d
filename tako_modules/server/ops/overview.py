"""list and routes: all deployments, and who has which route."""

from tako_modules.mgmt.server import Call
from tako_modules.protocol.messages import List, Routes
from tako_modules.protocol.replies import AppLine, ListData, RouteLine, RoutesData

from ..control import Control

__all__ = ["answer_list", "answer_routes"]


async def answer_list(request: List, call: Call, control: Control) -> ListData:
    """Give a line for each deployment."""
    return ListData(
        apps=tuple(
            AppLine(
                name=entry.app,
                version=entry.deployment.shape.version if entry.deployment.shape else "",
                state=entry.state,
                instances=len(entry.serving),
            )
            for entry in sorted(control.registry, key=lambda entry: entry.app)
        )
    )


async def answer_routes(request: Routes, call: Call, control: Control) -> RoutesData:
    """Give the routes in force."""
    return RoutesData(
        routes=tuple(
            RouteLine(app=entry.app, routes=entry.routes)
            for entry in sorted(control.registry, key=lambda entry: entry.app)
            if entry.deployment.shape is not None
        )
    )
