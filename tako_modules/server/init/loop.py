"""init's event loop: descriptors, timers and signals, one duty at a time; a fault in one duty ends there."""

import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from .systemd import say

__all__ = ["SIGNALS", "Guard", "Loop"]

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})
LONGEST_SLEEP = 3600.0  # seconds; nothing is due: select wakes now and then all the same
WAKEUP_BYTES = 4096  # signals read at a time: more of them say nothing new

Duty = Callable[[], None]


class Guard:
    """A block whose errors are written down and end there: a fault in one duty must not end every app."""

    def __init__(self, what: str, report: Callable[[str], None] = say) -> None:
        self._what = what
        self._report = report

    def __enter__(self) -> None:
        """Begin the duty."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> bool:
        """Swallow a fault, with its place; let SystemExit pass."""
        if not isinstance(error, Exception):
            return False
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{where.tb_frame.f_code.co_name}:{where.tb_lineno}" if where is not None else "?"
        self._report(f"{self._what}: {error!r} in {place}")
        return True


class Loop:
    """Waits for whatever comes next: a readable descriptor, a timer, a signal."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, Duty]] = []
        self._wakeup, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._on_signal: Callable[[int], None] = _ignore
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        self.watch(self._wakeup, self.take_signals)

    def handle_signals(self, act: Callable[[int], None]) -> None:
        """Install the handlers; what waited in the kernel meanwhile arrives now."""
        self._on_signal = act
        for number in SIGNALS:
            signal.signal(number, _ignore)  # the byte in the wake-up pipe is the message
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    @contextmanager
    def signals_held(self) -> Iterator[None]:
        """Let signals wait in the kernel, also over an exec, after those that came before have been handled."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self.take_signals()  # a byte left in the pipe would be a signal lost by the exec
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def take_signals(self) -> None:
        """Handle the signals that have arrived."""
        try:
            arrived = set(os.read(self._wakeup, WAKEUP_BYTES))
        except BlockingIOError:
            return
        for number in sorted(arrived):
            with Guard(f"signal {number}"):
                self._on_signal(number)

    def watch(self, descriptor: int, act: Duty, *, writing: bool = False) -> None:
        """Call `act` whenever the descriptor is readable, or writable too."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        if descriptor in self._selector.get_map():
            self._selector.modify(descriptor, events, act)
        else:
            self._selector.register(descriptor, events, act)

    def forget(self, descriptor: int) -> None:
        """Stop watching."""
        self._selector.unregister(descriptor)

    def later(self, seconds: float, act: Duty) -> None:
        """Call `act` once, after so many seconds."""
        self._timers.append((time.monotonic() + seconds, act))

    def turn(self) -> None:
        """Do what is due, then wait for the next thing and do that."""
        now = time.monotonic()
        due = [act for when, act in self._timers if when <= now]
        self._timers = [timer for timer in self._timers if timer[0] > now]
        for act in due:
            with Guard("timer"):
                act()
        soonest = min((when for when, _ in self._timers), default=now + LONGEST_SLEEP)
        for key, _ in self._selector.select(max(0.0, soonest - time.monotonic())):
            if key.fd in self._selector.get_map():  # an earlier duty of this turn may have closed it
                with Guard("event"):
                    key.data()


def _ignore(*_: object) -> None:
    """Do nothing: the wake-up pipe carries the signal."""
