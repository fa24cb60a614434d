"""Two connections that are one: bytes both ways with back-pressure, until both ends have had enough.

A WebSocket whose worker or instance leaves gets a close frame (1012, "come back in a moment") between two frames of the
server, never inside one; what the server says after that is dropped, and the client has a moment to answer.
"""

from collections.abc import Callable

from tako_modules.http import websocket
from tako_modules.http.errors import ProtocolError
from tako_modules.net.loop import Loop
from tako_modules.net.streams import Data, Stream
from tako_modules.net.wheel import FOREVER, NEVER

from .limits import TUNNEL_CLOSE_SECONDS, TUNNEL_HALF_SECONDS, TUNNEL_IDLE_SECONDS, WRITE_SECONDS

__all__ = ["Tunnel"]

_GOODBYE = websocket.close_frame(websocket.SERVICE_RESTART)


class _End:
    """The receiver of one of the two streams; carried: bytes that came from it."""

    __slots__ = ("carried", "other", "stream", "tunnel")

    other: "_End"

    def __init__(self, tunnel: "Tunnel", stream: Stream) -> None:
        self.tunnel, self.stream = tunnel, stream
        self.carried = 0

    def on_open(self) -> None:
        """Both have been open for long."""

    def on_data(self, data: Data) -> None:
        """Pass bytes on to the other one."""
        self.carried += len(data)
        self.tunnel.carry(self, data)

    def on_eof(self) -> None:
        """Tell the other one that there is no more."""
        self.tunnel.end_of(self)

    def on_drained(self) -> None:
        """There is room again: let the other one go on."""
        self.other.stream.resume()
        self.tunnel.due(self.tunnel.patience)

    def on_lost(self, reason: str) -> None:
        """Nothing comes any more: end when the other one has taken everything."""
        self.tunnel.lost(self)


class Tunnel:
    """A client's stream and an upstream's; `on_end(received, sent)` hears once that it is over."""

    __slots__ = (
        "_client",
        "_flushed",
        "_frames",
        "_leaving",
        "_loop",
        "_on_end",
        "_upstream",
        "deadline",
        "patience",
        "slot",
    )

    def __init__(
        self, loop: Loop, client: Stream, upstream: Stream, on_end: Callable[[int, int], None], *, is_websocket: bool
    ) -> None:
        self._loop, self._on_end = loop, on_end
        self._client, self._upstream = _End(self, client), _End(self, upstream)
        self._client.other, self._upstream.other = self._upstream, self._client
        self._frames = websocket.Frames() if is_websocket else None
        self._leaving = False
        self.patience = TUNNEL_IDLE_SECONDS  # in which some byte has to go one way or the other
        self._flushed = 0
        self.deadline, self.slot = FOREVER, NEVER

    def begin(self, from_client: bytes, from_upstream: bytes) -> None:
        """Take over both streams, and pass on what each side has already said."""
        for end, early in ((self._client, from_client), (self._upstream, from_upstream)):
            end.stream.attach(end)
            end.stream.want_bulk(True)
            if early:
                end.on_data(early)
        for end in (self._client, self._upstream):
            if end.stream.ended:
                end.on_eof()
            if not end.other.stream.queued:
                end.stream.resume()
        self._flushed = self._flushed_by_both()
        self.due(self.patience)

    def _flushed_by_both(self) -> int:
        return self._client.stream.flushed + self._upstream.stream.flushed

    def due(self, seconds: float) -> None:
        """Set the deadline of what is waited for now."""
        self.deadline = self._loop.now + seconds
        if self.deadline < self.slot - 1:
            self._loop.wheel.watch(self)

    def carry(self, end: _End, data: Data) -> None:
        """Pass bytes from one end to the other."""
        if end is self._upstream and self._frames is not None:
            if self._leaving:
                self._carry_last(self._frames, data)
                return
            self._follow(self._frames, data)
        if end.other.stream.send(data):
            end.stream.pause()
            self.due(WRITE_SECONDS)
        else:
            self.deadline = self._loop.now + self.patience

    def _follow(self, frames: websocket.Frames, data: Data) -> None:
        try:
            frames.feed(data)
        except ProtocolError:
            self._frames = None  # what is in there is not a WebSocket's frames: carry it, and end it without a word

    def _carry_last(self, frames: websocket.Frames, data: Data) -> None:
        """Pass on the rest of the frame that is under way, then say goodbye; the server is not heard any more."""
        if frames.between or frames.closed:
            return
        try:
            end = frames.feed(data)
        except ProtocolError:
            self.cut()
            return
        self._client.stream.send(data if end < 0 else bytes(data[:end]))
        if end >= 0:
            self._say_goodbye(frames)

    def bow_out(self) -> None:
        """Say goodbye as the protocol has it and end soon."""
        if self._leaving:
            return
        self._leaving = True
        self.patience = TUNNEL_CLOSE_SECONDS
        self.due(self.patience)
        if self._frames is None or self._upstream.stream.ended:
            self._client.stream.finish()
        elif self._frames.between:
            self._say_goodbye(self._frames)

    def _say_goodbye(self, frames: websocket.Frames) -> None:
        frames.between = True
        if not frames.closed:
            frames.closed = True
            self._client.stream.send(_GOODBYE)

    def end_of(self, end: _End) -> None:
        """One side has said everything: tell the other one, and end when both have."""
        self.patience = min(self.patience, TUNNEL_HALF_SECONDS)
        self.due(WRITE_SECONDS if end.other.stream.queued else self.patience)
        if end.other.stream.ended or self._leaving:
            end.stream.finish()
            end.other.stream.finish()
        else:
            end.other.stream.shut()

    def lost(self, end: _End) -> None:
        """One side is closed: close the other one, when it has taken what there is for it."""
        if end.other.stream.closed:
            self.cut()
        else:
            self.due(WRITE_SECONDS)
            end.other.stream.finish()

    def expired(self) -> None:
        """End, unless something is still being taken."""
        flushed = self._flushed_by_both()
        if flushed != self._flushed and not self._leaving:
            self._flushed = flushed
            self.due(WRITE_SECONDS)
        else:
            self.cut()

    def broken(self) -> None:
        """Give up: a method raised."""
        self.cut()

    def cut(self) -> None:
        """End now."""
        self._loop.wheel.forget(self)
        self._client.stream.close()
        self._upstream.stream.close()
        on_end, self._on_end = self._on_end, _nothing
        on_end(self._client.carried, self._upstream.carried)


def _nothing(received: int, sent: int) -> None:
    """Everybody has heard that it is over."""
