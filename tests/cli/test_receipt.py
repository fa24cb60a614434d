"""The end of a change in words: nothing is cut, every failure has its hint, and the document is the last line."""

import io
import json
from pathlib import Path

import msgspec
import pytest

from tako_modules.base.errors import Locked, PartlyDone, TakoError, Unreachable
from tako_modules.build.artifact import Artifact
from tako_modules.cli import change, receipt
from tako_modules.cli.console import Console, Said, console, display_for
from tako_modules.cli.options import Options
from tako_modules.deploy.story import Done, Job
from tako_modules.mgmt.refusal import Refusal
from tako_modules.model.release import Recipe
from tako_modules.protocol.replies import DeployedData, FailureData, StoppedData
from tests.kit.clock import ManualClock

DEPLOYED = DeployedData(
    status="deployed", app="shop", version="v2", previous="v1", warnings=("another also answers shop.test",)
)
RECIPE = Recipe(runtime="command", start=("true",))
LONG = Locked(
    "locked by ann@" + "laptop." * 5 + "example since 12:00:00 and until 12:00:30, for its deploy of "
    "SHA256:0123456789abcdef0123456789abcdef0123456789a with exit code 17",
    hint="wait, or use\n`tako deploy --wait 60`",
)

FAILED = Refusal(
    "deploy of v2 failed",
    code="rollback",
    hint="run `tako logs`",
    failure=FailureData(rule="GET / must answer below 500", status=500, exit_code=9, log=("its last words",)),
)


def facts(*done: Done, env: str = "production") -> receipt.Facts:
    """Tell of a deploy of v2."""
    artifact = Artifact(path=Path("v2.tar.gz"), version="v2", sha256="0" * 64, size=9, files=1, recipe=RECIPE)
    job = Job(app="shop", artifact=artifact, env={}, recipe=artifact.recipe, routes=("shop.test",))
    return receipt.Facts(job, env, done, 0.5)


def plain(stream: io.StringIO) -> Console:
    """Make a console whose progress goes into a stream."""
    return Console(Options(), Said(), display_for(Options(), stream), ManualClock())


def test_a_table_of_results_loses_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    receipt.show(
        plain(io.StringIO()), facts(Done(server="la", error=LONG), Done(server="nyc", deployed=DEPLOYED)), LONG
    )
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    table = out[out.index("SERVER  RESULT") : out.index("\n\n  https://")].splitlines()
    assert table[1].startswith("la      locked by")
    assert table[2].startswith("        ")
    words = " ".join(line[8:] for line in table[1:-1])
    assert words == LONG.message
    assert table[-1] == "nyc     deployed"


def test_names_that_leave_no_room(capsys: pytest.CaptureFixture[str]) -> None:
    done = [Done(server=name * 90, error=Unreachable("it cannot be reached")) for name in "ab"]
    receipt.show(plain(io.StringIO()), facts(*done), LONG)
    assert "  it cannot be reached\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("previous", "env", "line"),
    [
        ("", "production", ""),
        ("v1", "production", "  go back:  tako rollback"),
        ("v1", "staging", "  go back:  tako rollback --env staging"),
    ],
    ids=["first deploy", "production", "staging"],
)
def test_the_way_back_is_told_where_there_is_one(
    previous: str, env: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed = msgspec.structs.replace(DEPLOYED, previous=previous)
    receipt.show(plain(io.StringIO()), facts(Done(server="la", deployed=deployed), env=env), None)
    found = [text for text in capsys.readouterr().out.splitlines() if "go back" in text]
    assert found == ([line] if line else [])


def test_the_address_comes_before_the_way_back(capsys: pytest.CaptureFixture[str]) -> None:
    receipt.show(plain(io.StringIO()), facts(Done(server="la", deployed=DEPLOYED, https_port=8443)), None)
    assert capsys.readouterr().out.endswith("\n\n  https://shop.test:8443/\n  go back:  tako rollback\n")


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ("production", "  go back:  tako rollback v1"),
        ("staging", "  go back:  tako rollback v1 --env staging"),
    ],
)
def test_what_is_partly_done_tells_address_and_way_back(
    env: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = Done(server="la", error=LONG), Done(server="nyc", deployed=DEPLOYED, https_port=8443)
    receipt.show(plain(io.StringIO()), facts(*done, env=env), PartlyDone("deployed on 1 of 2 servers"))
    assert capsys.readouterr().out.endswith(f"\n\n  https://shop.test:8443/\n{line}\n")


def test_servers_that_had_different_versions_are_looked_at_first(capsys: pytest.CaptureFixture[str]) -> None:
    done = [
        Done(server="la", deployed=DEPLOYED),
        Done(server="nyc", deployed=msgspec.structs.replace(DEPLOYED, previous="v0")),
        Done(server="sf", error=LONG),
    ]
    receipt.show(plain(io.StringIO()), facts(*done), PartlyDone("deployed on 2 of 3 servers"))
    assert capsys.readouterr().out.endswith("  go back:  tako rollback VERSION, see `tako releases`\n")


def test_what_is_done_nowhere_has_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    receipt.show(plain(io.StringIO()), facts(Done(server="la", error=LONG)), LONG)
    assert "https://" not in capsys.readouterr().out


@pytest.mark.parametrize("servers", [("la",), ("la", "nyc")], ids=["one", "several"])
def test_quiet_tells_why_a_deploy_failed(servers: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    done = [Done(server=server, error=FAILED) for server in servers]
    receipt.show(console(Options(quiet=True)), facts(*done), FAILED)
    told = capsys.readouterr().err
    for words in ("  rule:   GET / must answer", "  status: 500\n", "  exit:   9\n", "    its last words\n"):
        assert told.count(words) == len(servers)
    assert told.count("  → run `tako logs`\n") == (0 if len(servers) == 1 else len(servers))


def test_warnings_and_failures_come_before_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    done = (Done(server="la", deployed=DEPLOYED), Done(server="nyc", error=LONG))
    receipt.show(console(Options(json=True, events=True)), facts(*done), LONG)
    *events, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["line"] * 4
    assert last["schema"] == "tako.deploy/1"


def test_warnings_of_other_verbs_come_before_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    results: dict[str, StoppedData | TakoError] = {"la": StoppedData(app="shop"), "nyc": LONG}
    screen = console(Options(json=True, events=True))
    with pytest.raises(PartlyDone):
        change.report(screen, "stop", "shop", results, lambda screen, server, _: screen.warn(f"look at {server}"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("event") for line in lines] == ["line", "line", "line", "line", None]
    assert lines[0]["text"] == "warning: look at la"


@pytest.mark.parametrize(
    ("new", "old", "on_demand", "words"),
    [
        (2, 1, False, "2 new instances, 1 replaced"),
        (1, 0, False, "1 new instance, 0 replaced"),
        (0, 1, False, "1 instance stopped"),
        (0, 0, False, "it runs like that already: nothing was changed"),
        (0, 2, True, "on demand: it sleeps when nobody asks, and a request starts it; 2 instances stopped"),
        (0, 0, True, "on demand: it sleeps when nobody asks, and a request starts it"),
    ],
    ids=["rolled", "one more", "one less", "as it was", "now on demand", "on demand as it was"],
)
def test_what_became_of_the_instances(new: int, old: int, on_demand: bool, words: str) -> None:
    done = DeployedData(
        status="deployed", app="shop", version="v1", new_instances=new, old_instances=old, on_demand=on_demand
    )
    assert change.instances_text(done) == words


def test_each_server_that_failed_has_its_hint() -> None:
    stream = io.StringIO()
    results: dict[str, StoppedData | TakoError] = {
        "la": Unreachable("la cannot be reached", hint="look whether it is up"),
        "nyc": LONG,
        "fra": StoppedData(app="shop"),
    }
    with pytest.raises(PartlyDone):
        change.report(plain(stream), "stop", "shop", results, lambda *_: None)
    said = stream.getvalue()
    assert "la: la cannot be reached\n  → look whether it is up\n" in said
    assert said.endswith("exit code 17\n  → wait, or use\n  → `tako deploy --wait 60`\n")
