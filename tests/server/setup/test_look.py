"""Facts of this very machine, which is looked at and left alone."""

from pathlib import Path

from tako_modules.server.setup import look
from tako_modules.server.setup.facts import Program


async def test_looking_gives_facts() -> None:
    program = Program(build="none", archive="", digest="", runtime="none")
    machine = await look.look(program)
    assert "root" in machine.groups
    assert machine.entries["/opt"].kind == "folder"
    assert machine.is_systemd == Path("/run/systemd/system").is_dir()
    assert set(machine.accounts) <= {"tako", "tako-proxy"} or all(map(look.APP_USER.fullmatch, machine.accounts))
