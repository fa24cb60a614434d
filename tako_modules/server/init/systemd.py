"""Talk to systemd: notifications, and the descriptor store that keeps listeners over a restart (sd_notify(3))."""

import os
import select
import socket
import time
from collections.abc import Sequence

__all__ = ["forget", "keep", "notify", "reloading", "say", "supervises", "take_stored"]

PATIENCE = 1.0  # seconds for systemd to take a notification: init must not hang when it does
FIRST_STORED = 3  # sd_listen_fds(3): descriptors are handed over from here on


def say(text: str) -> None:
    """Write one line to standard error, the journal; never raises, and does not wait for a journal that hangs."""
    try:
        poller = select.poll()
        poller.register(2, select.POLLOUT)
        if not poller.poll(0):
            return
        os.write(2, f"init: {text}\n".encode(errors="replace"))
    except OSError:
        return  # a closed standard error must not end a server


def supervises() -> bool:
    """Tell whether systemd started init and keeps descriptors for it."""
    return "NOTIFY_SOCKET" in os.environ


def notify(text: str, descriptors: Sequence[int] = ()) -> None:
    """Send one notification; without systemd, or when it cannot be reached, nothing happens but a line."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(PATIENCE)
            sender.connect("\0" + path[1:] if path.startswith("@") else path)
            socket.send_fds(sender, [text.encode()], list(descriptors))
    except OSError as error:
        say(f"cannot notify systemd: {error}")


def reloading() -> None:
    """Tell systemd that a reload began; READY=1 ends it."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def keep(key: str, descriptor: int) -> None:
    """Leave a listener in the descriptor store under its address."""
    name = store_name(key)
    notify(f"FDSTOREREMOVE=1\nFDNAME={name}")
    notify(f"FDSTORE=1\nFDNAME={name}", [descriptor])


def forget(key: str) -> None:
    """Take a listener out of the descriptor store."""
    notify(f"FDSTOREREMOVE=1\nFDNAME={store_name(key)}")


def store_name(key: str) -> str:
    """Write a listener's key so that FDNAME allows it: no colon."""
    return key.replace(":", "_")


def take_stored() -> dict[str, int]:
    """Take what the descriptor store kept: store name → descriptor; the variables go, no child may see them.

    LISTEN_PID is still right after a re-exec (the same pid), so a variable that stayed would be believed twice.
    """
    names = os.environ.pop("LISTEN_FDNAMES", "")
    count = os.environ.pop("LISTEN_FDS", "")
    meant = os.environ.pop("LISTEN_PID", "") == str(os.getpid())
    if not meant or not count.isdecimal():
        return {}
    stored: dict[str, int] = {}
    for descriptor, name in enumerate(names.split(":")[: int(count)], FIRST_STORED):
        if name in stored:
            os.close(stored[name])
        stored[name] = descriptor
    return stored


def variables_for_control() -> dict[str, str]:
    """Give init's environment without what is between systemd and init alone."""
    return {
        name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET" and not name.startswith("LISTEN_")
    }
