"""What verbs print with `--json` is what their schemas say."""

import ast
import json
from pathlib import Path

import msgspec
import pytest

from tako_modules.base.errors import Locked, TakoError
from tako_modules.cli import documents, guard
from tako_modules.mgmt.refusal import Refusal
from tako_modules.protocol import messages
from tako_modules.protocol.replies import FailureData
from tests.kit.documents import checked

from .scripted import Script, scripted

PACKAGE = Path(guard.__file__).parent
PROJECT = """\
name = "shop"
runtime = "command"
start = ["true"]
release = "true"
[envs.production]
route = "shop.localhost"
[servers.local]
env = "production"
"""
FAILED = Refusal(
    "deploy of v1 failed",
    code="rollback",
    hint="run `tako logs`",
    failure=FailureData(rule="GET / must answer below 500", status=500, log=("a", "b")),
)
REFUSED: dict[type[messages.Request], TakoError] = {messages.Lease: Locked("locked by ann", hint="wait")}
LA = '[[servers]]\nname = "la"\nhost = "203.0.113.7"\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TAKO_HOME, and a project around the working directory."""
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    home.mkdir()
    (project / "tako.toml").write_text(PROJECT)
    monkeypatch.chdir(project)
    monkeypatch.setenv("TAKO_HOME", str(home))
    for name in ("XDG_RUNTIME_DIR", "TAKO_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.mark.parametrize(
    ("line", "script", "code", "schema"),
    [
        ("deploy --yes", {}, 0, "deploy"),
        ("deploy --yes", {messages.Deploy: FAILED}, 1, "deploy"),
        ("deploy --yes", REFUSED, 3, "deploy"),
        ("deploy --plan", {}, 0, "plan"),
        ("status", {}, 0, "status"),
        ("status", {messages.Status: FAILED}, 1, "status"),
        ("logs", {}, 0, "logs"),
        ("releases", {}, 0, "releases"),
        ("rollback", {}, 0, "rollback"),
        ("rollback", {messages.Rollback: FAILED}, 1, "rollback"),
        ("scale 2", {}, 0, "scale"),
        ("restart", {}, 0, "restart"),
        ("start", {}, 0, "start"),
        ("stop --yes", {}, 0, "stop"),
        ("stop --yes", REFUSED, 3, "stop"),
        ("delete --yes", {}, 0, "delete"),
        ("init -c other.toml --route shop.localhost", {}, 0, "init"),
        ("servers ls", {}, 0, "servers.ls"),
        ("servers status local", {}, 0, "servers.status"),
        ("servers rm la", {}, 0, "servers.rm"),
        ("delete", {}, 2, "error"),
        ("delpoy", {}, 2, "error"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_verb_prints_its_document(
    line: str, script: Script, code: int, schema: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "config.toml").write_text(LA)
    with scripted(home, script):
        assert guard.run([*line.split(), "--json"]) == code
    assert checked(capsys.readouterr().out)["schema"] == f"tako.{schema}/1"


def test_a_server_that_fails_tells_why_in_the_document(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with scripted(home, {messages.Restart: FAILED}):
        assert guard.run(["restart", "--json"]) == 1
    [server] = json.loads(capsys.readouterr().out)["servers"]
    assert server["server"] == "local"
    assert server["result"] is None
    assert server["error"]["code"] == "rollback"
    assert server["error"]["failure"]["status"] == 500


@pytest.mark.parametrize(
    ("line", "request_kind"),
    [("deploy --yes", messages.Deploy), ("restart", messages.Restart), ("rollback", messages.Rollback)],
)
@pytest.mark.parametrize("answer", [None, FAILED], ids=["well", "failed"])
def test_what_a_server_tells_is_no_step(
    line: str,
    request_kind: type[messages.Request],
    answer: TakoError | None,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with scripted(home, {request_kind: answer} if answer else {}):
        assert guard.run([*line.split(), "--events"]) == (1 if answer else 0)
    *events, _ = [checked(line) for line in capsys.readouterr().out.splitlines()]
    ends = [(event["text"], event["ok"]) for event in events if event["event"] == "end"]
    assert ends[-1] == ("rolling out", answer is None)
    assert all(ok for _, ok in ends[:-1])
    said = [event["text"] for event in events if event["event"] == "line"]
    assert said.count("  starting instance 1 on port 20000") == 1
    assert [text for text, _ in ends if "instance" in str(text)] == []


def test_every_schema_that_is_printed_is_declared() -> None:
    """Every `tako.<name>/1` of the door is in DOCUMENTS, and the other way round."""
    written = {
        node.value
        for path in PACKAGE.rglob("*.py")
        if path.name != "documents.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("tako.")
    }
    named = {text.removeprefix("tako.").removesuffix("/1") for text in written if text.endswith("/1")}
    by_verb = {"rollback", "scale", "restart", "start", "stop", "delete", "status", "releases"}  # change.report's
    assert named | by_verb == documents.DOCUMENTS.keys()


def test_every_document_has_its_own_schema_words() -> None:
    for name, kind in documents.DOCUMENTS.items():
        [field] = [one for one in msgspec.structs.fields(kind) if one.name == "schema"]
        assert f"tako.{name}/1" in field.type.__args__
