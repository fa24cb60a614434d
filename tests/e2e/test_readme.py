"""The two commands of the README, word for word, where nobody has prepared anything."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.test_pages import COMMAND
from tests.kit.fresh import Fresh, fresh_machine

ROOT = Path(__file__).resolve().parents[2]
RUN_SECONDS = 180  # with every package fetched anew
PATIENCE = 240
COMMANDS = dict(COMMAND.findall((ROOT / "README.md").read_text()))
SCRIPT = r"""
cd /root/tako
began=$(date +%s)
code=0
sh /root/run.sh > /root/run.out 2> /root/run.err || code=$?
echo "$code $(($(date +%s) - began))" > /root/run.end
url=$(grep -o 'https://[^ ]*' /root/run.out | tail -n 1)
curl -fsS --cacert ~/.tako/ca/ca.crt "$url" > /root/page 2> /root/page.err || true
"""


def bring_checkout(machine: Fresh) -> None:
    """Copy what a clone of this checkout would hold."""
    folder = machine.root / "root" / "tako"
    folder.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout  # fmt: skip
    there = b"\0".join(name for name in listed.split(b"\0") if name and (ROOT / name.decode()).exists())
    argv = ["tar", "--null", "--files-from=-", "--create", "--file=-"]
    packed = subprocess.run(argv, cwd=ROOT, input=there, capture_output=True, check=True).stdout
    unpack = ["tar", "--extract", "--no-same-owner", "--file=-"]
    subprocess.run(unpack, cwd=folder, input=packed, check=True)


@pytest.mark.alone
def test_the_first_command_on_a_fresh_machine(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    with fresh_machine(tmp_path) as machine:
        home = machine.root / "root"
        machine.play("! command -v pip3 git gcc && ! python3 -c 'import ensurepip' 2>/dev/null", seconds=20)
        bring_checkout(machine)
        machine.unpack({"/root/run.sh": f"{COMMANDS['run']}\n".encode()})
        machine.play(SCRIPT, seconds=PATIENCE)
        said = (home / "run.out").read_text() + (home / "run.err").read_text()
        code, seconds = map(int, (home / "run.end").read_text().split())
        assert code == 0, said[-6000:]
        assert re.fullmatch(r"https://hello\.localhost:\d+/", said_last(home)), said[-2000:]
        assert "Hello" in (home / "page").read_text(), (home / "page.err").read_text()
        assert seconds <= RUN_SECONDS
        record_property("seconds of the README's first command", seconds)


def said_last(home: Path) -> str:
    """Give the last line that the command printed."""
    return (home / "run.out").read_text().splitlines()[-1].strip()


def test_the_second_command_is_what_continuous_integration_runs() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[-1] == f"exec {COMMANDS['test']}"
    assert [line for line in lines if "install" in line] == []
