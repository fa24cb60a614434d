"""What a person sees: nothing is silent for long, everything fits the screen, and colours can be turned off."""

import re
from pathlib import Path

import pytest

from tests.kit.container import Container
from tests.kit.desk import Desk
from tests.kit.documents import checked
from tests.kit.local import Local
from tests.kit.projects import local_project, project
from tests.kit.terminal import COLUMNS, on_terminal

UNREACHABLE = 4
SILENCE = 2.0  # seconds in which a step may show nothing
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d|10\d)[;\dm]")
SLOW = ("release = 'sleep 3'", "build = 'sleep 3'")


@pytest.mark.parametrize("quiet", [False, True], ids=["colours", "NO_COLOR"])
def test_a_deploy_on_a_terminal(local: Local, tmp_path: Path, *, quiet: bool) -> None:
    name = "plain" if quiet else "colourful"
    folder = local_project(name, tmp_path / name, 'BOOT_SECONDS = "3"', top="\n".join(SLOW))
    env = {**local.env(), **({"NO_COLOR": "1"} if quiet else {})}
    seen = on_terminal(local.argv("deploy", "--yes"), env=env, cwd=folder, seconds=90)
    assert seen.code == 0, seen.raw
    assert seen.longest_silence <= SILENCE
    assert [line for line in seen.lines if len(line) > COLUMNS] == []
    assert (COLOUR.search(seen.raw) is None) == quiet
    assert f"  https://{name}.localhost:{local.https}/" in seen.lines[-2:]


def test_without_a_terminal_a_step_is_one_line(local: Local, tmp_path: Path) -> None:
    folder = local_project("lines", tmp_path / "lines", 'BOOT_SECONDS = "3"', top="release = 'sleep 3'")
    done = local.tako("deploy", "--yes", cwd=folder)
    assert done.code == 0, done.err
    steps = [line.strip() for line in done.err.splitlines() if line.strip()]
    assert len(set(steps)) == len(steps)
    assert "\x1b" not in done.out + done.err
    assert "\r" not in done.out + done.err
    assert [line for line in (done.out + done.err).splitlines() if len(line) > COLUMNS] == []
    assert done.out.splitlines()[-1].strip() == f"https://lines.localhost:{local.https}/"


def test_events_tell_every_step_and_the_result_at_the_end(local: Local, tmp_path: Path) -> None:
    folder = local_project("events", tmp_path / "events")
    done = local.tako("deploy", "--yes", "--events", cwd=folder)
    assert done.code == 0, done.err
    assert done.err == ""
    *events, result = [checked(line) for line in done.out.splitlines()]
    assert result["schema"] == "tako.deploy/1"
    assert {event["schema"] for event in events} == {"tako.event/1"}
    begun = {event["step"]: event["text"] for event in events if event["event"] == "begin"}
    ended = {event["step"]: event["text"] for event in events if event["event"] == "end" and event["ok"]}
    assert begun == ended
    assert {"building events", "taking the lease", "rolling out"} <= set(begun.values())


def test_a_plan_is_printed_and_nothing_is_done(local: Local, tmp_path: Path) -> None:
    folder = local_project("planned", tmp_path / "planned", top="release = 'touch ran'\nbuild = 'touch built'")
    done = local.tako("deploy", "--plan", "--json", cwd=folder)
    assert done.code == 0, done.err
    steps = checked(done.out)["steps"]
    assert isinstance(steps, list)
    assert steps[0] == "build planned with `touch built`"
    assert "run the release command `touch ran`" in steps[-2]
    assert "1 instance, for planned.localhost" in steps[-1]
    assert sorted(path.name for path in folder.iterdir()) == ["app.py", "tako.toml"]
    assert not (local.data / "apps" / "planned").exists()


def test_making_a_server_is_never_silent(server: Container, tako_pyz: Path, tmp_path: Path) -> None:
    desk = Desk(tako_pyz, tmp_path, server.key)
    place = ["root@127.0.0.1", "--port", str(server.ssh_port), "--host-key", server.host_key_fingerprint]
    argv = desk.argv("servers", "add", *place, "--name", "la", "--yes")
    added = on_terminal(argv, env=desk.env(), cwd=tmp_path, seconds=90)
    assert added.code == 0, added.raw
    assert added.longest_silence <= SILENCE
    for step in ("connecting to la", "copying tako", "start tako.service", "logging in as tako"):
        assert f"✓ {step}" in added.raw
    deployed = on_terminal(
        desk.argv("deploy", "--yes"), env=desk.env(), cwd=project("shop", tmp_path / "shop"), seconds=90
    )
    assert deployed.code == 0, deployed.raw
    assert deployed.longest_silence <= SILENCE
    assert "✓ connecting to la" in deployed.raw


def test_a_bare_machine_of_the_inventory_is_made_a_server_by_the_deploy_to_it(
    server: Container, tako_pyz: Path, tmp_path: Path
) -> None:
    desk = Desk(tako_pyz, tmp_path, server.key)
    desk.know("la", "127.0.0.1", server.ssh_port, server.host_key)
    folder = project("shop", tmp_path / "shop")
    argv, env = desk.argv("deploy"), desk.env()
    refused = on_terminal(argv, env=env, cwd=folder, seconds=90, typed=b"y\nn\n")  # to production, and no server there
    assert refused.code == UNREACHABLE, refused.raw
    assert "Log in as root and make la a server?" in refused.raw
    assert "tako" not in server.exec(["ls", "/opt", "/usr/local/bin"]).out
    made = on_terminal(argv, env=env, cwd=folder, seconds=120, typed=b"y\ny\n")
    assert made.code == 0, made.raw
    assert "✓ start tako.service" in made.raw
    assert "https://shop.bed.test/" in made.lines[-2]
    assert 'admin = "root"' in (desk.home / "config.toml").read_text()
    assert desk.tako("servers", "restart", "la", "--yes").code == 0
