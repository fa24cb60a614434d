"""Reads the case files: text in which every byte of the wire can be seen.

`== title` begins a case. The next line is the verdict: `forwards`, `waits` (more bytes are needed) or the status of the
refusal; ` to HEAD` behind it tells which method a response answers. Then come the bytes that arrive and, after a line
`-->`, those that are passed on. Line ends of the file do not count: bytes are written with the escapes \\r \\n \\t \\0
\\\\ \\xHH. `{edge}` stands for what the edge says of its client.
"""

import re
from dataclasses import dataclass
from pathlib import Path

EDGE = (
    b"\r\nX-Forwarded-For: 192.0.2.7\r\nX-Real-IP: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443"
    b"\r\nX-Request-Id: r1"
)
_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case: what arrives, and the verdict; `out` is what is passed on before it."""

    title: str
    verdict: str
    wire: bytes
    out: bytes | None


def _unescape(match: re.Match[str]) -> str:
    word = match[1]
    return (bytes([int(word[1:], 16)]) if word[0] == "x" else _ESCAPES[word]).decode("latin-1")


def _bytes(lines: list[str]) -> bytes:
    text = "".join(lines).replace("{edge}", EDGE.decode("ascii"))
    return re.sub(r"\\(x[0-9a-f]{2}|[rnt0\\])", _unescape, text).encode("latin-1")


def _case(file: str, text: str) -> Case:
    title, verdict, *lines = text.rstrip("\n").split("\n")
    lines = [line for line in lines if not line.startswith("# ")]
    cut = lines.index("-->") if "-->" in lines else len(lines)
    out = _bytes(lines[cut + 1 :]) if cut < len(lines) else None
    return Case(title=f"{file}: {title}", verdict=verdict, wire=_bytes(lines[:cut]), out=out)


def read(folder: str) -> list[Case]:
    """Read all cases of a folder beside this file, in the order of files and lines."""
    files = sorted((Path(__file__).parent / folder).glob("*.txt"))
    return [
        _case(file.stem, text) for file in files for text in file.read_text("ascii").split("\n== ")[1:] if text.strip()
    ]
