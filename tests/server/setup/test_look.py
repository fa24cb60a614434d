"""Facts of this very machine, which is looked at and left alone."""

from pathlib import Path, PurePosixPath

import pytest

from tako_modules.server.setup import layout, look
from tako_modules.server.setup.facts import Program


async def test_looking_gives_facts() -> None:
    program = Program(build="none", archive="", digest="", runtime="none")
    machine = await look.look(program)
    assert "root" in machine.groups
    assert machine.entries["/opt"].kind == "folder"
    assert machine.is_systemd == Path("/run/systemd/system").is_dir()
    assert set(machine.accounts) <= {"tako", "tako-proxy"} or all(map(look.APP_USER.fullmatch, machine.accounts))


async def test_what_people_put_into_our_folders_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data/certs/shop.example.com/fullchain.pem", "home/.ssh/authorized_keys", "home/notes"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "data/certs/empty").mkdir()
    monkeypatch.setattr(layout, "DATA", PurePosixPath(tmp_path / "data"))
    monkeypatch.setattr(layout, "HOME", PurePosixPath(tmp_path / "home"))
    machine = await look.look(Program(build="none", archive="", digest="", runtime="none"))
    assert machine.certificates == ("shop.example.com",)
    assert machine.home == ("notes",)
