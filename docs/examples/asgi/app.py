"""A small ASGI app: it says hello and counts what it keeps in its data folder."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

COUNTER = Path(os.environ["TAKO_DATA_DIR"]) / "visits"  # outlives releases; the release itself is read-only

Message = dict[str, object]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer HTTP requests; the lifespan protocol is declined, which uvicorn understands."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body = answer(str(scope["path"])).encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def answer(path: str) -> str:
    """Give the text of a page."""
    if path == "/health":
        return "well\n"
    visits = int(COUNTER.read_text()) + 1 if COUNTER.exists() else 1
    COUNTER.write_text(str(visits))
    return f"Hello from {os.environ['TAKO_APP']} {os.environ['TAKO_BUILD']}, visit {visits}\n"
