"""Going back under load: not one request fails, and release, routes and variables are those of then."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import msgspec
import pytest

from tako_modules.protocol.replies import DeployedData
from tests.kit.commands import Ran
from tests.kit.container import Container
from tests.kit.desk import Desk
from tests.kit.load import Load, Options
from tests.kit.projects import project

pytestmark = pytest.mark.alone

PYTHON = 'runtime = "python"\nstart = ["python3", "app.py"]'
RATE = 150.0  # requests a second: what the machine has left beside a deploy
AROUND = 1.5  # seconds of load before and after
MOVED_SECONDS = 2.0  # from the message until the replaced version is given its last request, and the app's own boot
COMMAND_SECONDS = 2.0  # until the message is out: start, connection; and the boot


@dataclass(frozen=True)
class App:
    """An app in two versions: the second one has another page, other variables and one more route."""

    name: str
    load: Options

    def write(self, folder: Path, number: int) -> Path:
        """Write version 1 or 2."""
        host = f"{self.name}.bed.test"
        routes = json.dumps([host, f"second.{host}"][:number])
        project(self.name, folder, f'NUMBER = "{number}"', start=PYTHON, tail="instances = 2")
        text = (folder / "tako.toml").read_text().replace('runtime = "command"\n', "")
        text = text.replace(f'route = "{host}"', f"routes = {routes}")
        if self.name == "site":
            text = text.replace(PYTHON, 'runtime = "static"')
        (folder / "public").mkdir(exist_ok=True)
        (folder / "public" / "index.html").write_text(f"<p>page {number}</p>\n" * 200)
        (folder / "tako.toml").write_text(text)
        return folder


class Changed(msgspec.Struct, frozen=True):
    """How a rollback ended on one server."""

    result: DeployedData


class Changes(msgspec.Struct, frozen=True):
    """What `rollback --json` tells."""

    servers: tuple[Changed, ...]


def assert_quick(done: Ran) -> None:
    """Traffic moved in time, the boot of the app left aside."""
    [server] = msgspec.json.decode(done.out, type=Changes).servers
    for made in server.result.receipt.instances:
        assert made.admitted_after - made.healthy_after < MOVED_SECONDS


@pytest.mark.parametrize("name", ["shop", "site"])
async def test_a_rollback_under_load(name: str, desk: Desk, machine: Container, tmp_path: Path) -> None:
    host, second = f"{name}.bed.test", f"second.{name}.bed.test"
    desk.certify(machine, host, second)
    static = name == "site"
    load = Options(port=machine.https_port, host=host, ca=str(desk.ca), rate=RATE)
    if static:  # it only answers
        load = replace(load, slow=0, websockets=0, reads=True)
    app, in_thread = App(name, load), anyio.to_thread.run_sync
    folder = tmp_path / name
    one = desk.deploy(app.write(folder, 1)).version
    two = desk.deploy(app.write(folder, 2)).version
    assert desk.curl(machine, f"https://{second}/", "-f").code == 0
    async with Load(load) as asking:
        await anyio.sleep(AROUND)
        asked = (await asking.peek()).seconds
        done = await in_thread(lambda: desk.tako("rollback", "--yes", "--json", cwd=folder))
        await anyio.sleep(AROUND)
        summary = await asking.stop()
    assert done.code == 0, done.err
    assert_quick(done)
    assert summary.failed == 0, (summary.failed_by_kind, summary.failures[:5])
    assert summary.started == summary.finished
    assert machine.exec(["readlink", f"/opt/tako/apps/{name}/current"]).out == f"releases/{one}\n"
    status = desk.status(folder)["la"]
    assert (status.version, status.state) == (one, "running")
    assert "404" in desk.curl(machine, f"http://{second}/", "-i").out.splitlines()[0]
    if static:
        assert "page 1" in desk.curl(machine, f"https://{host}/").out
    else:
        assert (summary.first_version, summary.last_version) == (two, one)
        assert summary.spans[two][1] - asked < MOVED_SECONDS + COMMAND_SECONDS
        seen = json.loads(desk.curl(machine, f"https://{host}/env").out)
        assert (seen["NUMBER"], seen["TAKO_BUILD"]) == ("1", one)
