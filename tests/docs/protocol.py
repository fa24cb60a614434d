"""docs/reference/protocol.md: the management socket, from the structs of protocol/ and the server's operations."""

import inspect

import msgspec

from tako_modules.protocol import frames, messages, replies, setup, version
from tako_modules.server.ops.table import OPERATIONS

from . import codes, words

__all__ = ["render"]

HEAD = f"""# Protocol

<!-- Written from tako_modules/protocol by `python3 -m tests fix`; change the docstrings there. -->

A server listens on a Unix stream socket: `/var/run/tako/tako.sock`, or where `--socket` of `tako serve` says.
The command line speaks to it directly on the same machine, and through `tako __socket__` over SSH from another one.

A request is one JSON object and a newline, at most {frames.LINE_LIMIT >> 20} MiB.
`command` names it; unknown commands and unknown fields are refused.
The first request of a connection is `hello`, with the protocol that the client speaks: {version.PROTOCOL}.

```json
{{"command": "hello", "protocol_version": {version.PROTOCOL}}}
```

The server answers each request with lines that have an `event`, if any, and one final line:

```json
{{"status": "ok", "data": {{}}}}
{{"status": "error", "message": "…", "code": "…", "hint": "…"}}
```

Requests of one connection are answered in their order; for what must run beside a long one, open another connection.
Clients ignore fields that they do not know, so that a newer server may add some.

A request that changes something carries `fence`: the number of the lease that allows it, from `lease`.
A lease lives 30 s and is renewed by `renew`.
Another owner may take it over after 20 s without a renewal, or 10 s after its holder's connections have ended.
A request with an older number is refused with the code `lease_lost`.

An upload is answered with `{{"event": "send", "offset": N}}`.
Then the client sends the artifact from that byte on in frames.
A frame is its length in 4 bytes, big-endian, and so many bytes, at most {frames.FRAME_LIMIT >> 10} KiB.
A frame of length 0 ends the upload.
"""
SHARED = """## Shapes

What requests, replies and events are made of.
"""
EVENTS = (replies.SendEvent, replies.StepEvent, replies.LineEvent)


def render() -> str:
    """Write the whole page."""
    parts = [HEAD, _capabilities(), "## Requests\n"]
    parts += [_request(command, kind) for command, kind in messages.REQUESTS.items()]
    parts.append("## Events\n")
    parts += [_shape(kind) for kind in EVENTS]
    parts += ["## Errors\n", _shape(replies.Failure), codes.render(), SHARED]
    parts += [_shape(kind) for kind in _shapes()]
    parts += [_setup()]
    return "\n".join(parts)


def _capabilities() -> str:
    known = ", ".join(f"`{word}`" for word in version.CAPABILITIES)
    later = "\n".join(f"- `{command}`: {number}" for command, number in version.LATER.items())
    return (
        f"`hello` lists what this server can do: {known}.\n\n"
        f"Commands of later versions are refused with the code `comes_later`:\n\n{later}\n"
    )


def _request(command: str, kind: type[msgspec.Struct]) -> str:
    answer = _reply(kind)
    parts = [f"### {command}\n", words.about(kind) + "\n"]
    if fields := words.fields_table(kind):
        parts.append(fields)
    parts.append(f"Answer: {words.type_words(answer)}.\n")
    return "\n".join(parts)


def _reply(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Find what the server answers: the return type of its operation."""
    operation = next(act for request, act in OPERATIONS.items() if request is kind)
    found: object = inspect.get_annotations(operation)["return"]
    assert isinstance(found, type)
    assert issubclass(found, msgspec.Struct)
    return found


def _shape(kind: type[msgspec.Struct]) -> str:
    return f"### {kind.__name__}\n\n{words.about(kind)}\n\n{words.fields_table(kind)}"


def _shapes() -> list[type[msgspec.Struct]]:
    """Find all structs that requests, replies and errors name, themselves or through others."""
    found: dict[str, type[msgspec.Struct]] = {}
    queue = [_reply(kind) for kind in messages.REQUESTS.values()]
    queue += [one for kind in messages.REQUESTS.values() for one in _parts(kind)]
    queue += _parts(replies.Failure)
    while queue:
        kind = queue.pop()
        if kind.__name__ not in found:
            found[kind.__name__] = kind
            queue += _parts(kind)
    return [found[name] for name in sorted(found)]


def _parts(kind: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    return [one for field in msgspec.structs.fields(kind) for one in words.structs_in(field.type)]


def _setup() -> str:
    kinds = (setup.InstallRequest, setup.RemoveRequest, setup.SetupData)
    head = (
        "## Setting a machine up\n\n"
        "`tako __install__` and `tako __uninstall__` run as root on a machine.\n"
        "They read one JSON document from their standard input and answer with lines as above.\n"
    )
    return "\n".join([head, *(_shape(kind) for kind in kinds)])
