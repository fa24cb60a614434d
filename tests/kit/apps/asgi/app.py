"""A Starlette app: its page names its build, so that a test sees which release answers."""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def page(request: Request) -> PlainTextResponse:
    """Answer with the build."""
    return PlainTextResponse(f"starlette {os.environ['TAKO_BUILD']}\n")


app = Starlette(routes=[Route("/", page)])
