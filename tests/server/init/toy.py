"""A toy control or worker: hands its descriptors to the test, which then speaks for it, and ends when told.

Started by init with the standard library only; TOY is an abstract socket's name.
"""

import os
import signal
import socket
import sys


def main() -> int:
    """Report, then wait for the code to end with."""
    name, *listeners = sys.argv[1:]
    handed = [3, *range(4, 4 + len(listeners))]
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
        link.connect("\0" + os.environ["TOY"])
        words = [name, str(os.getpid()), *listeners]
        socket.send_fds(link, [" ".join(words).encode()], handed)
        for number in handed:
            os.close(number)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        return int(link.recv(16) or b"0")


if __name__ == "__main__":
    sys.exit(main())
