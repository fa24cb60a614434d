"""What is learned of a machine with the commands that every system has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tako_modules.base.errors import TakoError
from tako_modules.deploy import machine
from tako_modules.ssh.shell import Result

RELEASE = b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n# a comment\nVERSION_ID="12"\n'
DISK = b"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a 100 1 99000000 1% /\n"
NOT_THERE = Result(code=127, err=b"not found")
DEBIAN = {
    "uname -s -n -m": Result(out=b"Linux box7 x86_64\n"),
    "cat /etc/os-release": Result(out=RELEASE),
    "df -Pk /opt": Result(out=DISK),
    "getconf GNU_LIBC_VERSION": Result(out=b"glibc 2.36\n"),
    "test -d /run/systemd/system": Result(),
    "test -x /usr/bin/apt-get": Result(),
    "/usr/bin/python3 -IS": Result(out=b"3.11.2\n"),
}


@dataclass
class Scripted:
    """A host that knows a few commands, by how they begin; after some of them it knows others."""

    answers: dict[str, Result]
    later: Mapping[str, Mapping[str, Result]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    name: str = "la"

    async def run(self, *argv: str, stdin: bytes = b"", timeout: float = 60) -> Result:
        command = " ".join(argv)
        self.ran.append(command)
        for start, changes in self.later.items():
            if command.startswith(start):
                self.answers.update(changes)
        return next((answer for start, answer in self.answers.items() if command.startswith(start)), NOT_THERE)

    async def put(
        self, source: Path | bytes, remote: str, *, mode: int = 0o644, progress: Callable[[int], None] | None = None
    ) -> None:
        raise AssertionError("looking sends no files")


def without(start: str = "", more: Mapping[str, Result] | None = None) -> Scripted:
    return Scripted({command: answer for command, answer in {**DEBIAN, **(more or {})}.items() if command != start})


async def test_a_debian_machine() -> None:
    seen = await machine.look(without())
    assert seen == machine.Machine(
        system="Linux",
        name="Debian GNU/Linux 12 (bookworm)",
        arch="x86_64",
        libc="glibc 2.36",
        host="box7",
        free=99000000 << 10,
        is_systemd=True,
        python=machine.Python("/usr/bin/python3", "3.11.2"),
        installer="/usr/bin/apt-get",
    )
    assert seen.words == "Debian GNU/Linux 12 (bookworm), x86_64, glibc 2.36, Python 3.11.2"
    seen.check()


async def test_musl_is_told_by_ldd() -> None:
    shell = without("getconf GNU_LIBC_VERSION")
    shell.answers["ldd --version"] = Result(code=1, err=b"musl libc (x86_64)\nVersion 1.2.5\n")
    assert (await machine.look(shell)).libc == "musl"


@pytest.mark.parametrize(
    ("answers", "path"),
    [
        pytest.param({"/usr/bin/python3 ": b"3.10.12\n", "/usr/bin/python3.12": b"3.12.3\n"}, "python3.12", id="older"),
        pytest.param({"/usr/bin/python3 ": b"3.15.0\n", "/usr/bin/python3.12": b"3.12.3\n"}, "python3", id="system's"),
        pytest.param({"/usr/bin/python3 ": b"3.9.1\n"}, "", id="too old"),
        pytest.param({"/usr/bin/python3 ": b"3.14.0a1+\n"}, "", id="no release"),
    ],
)
async def test_the_first_python_that_fits(answers: dict[str, bytes], path: str) -> None:
    found = await machine.find_python(Scripted({start: Result(out=out) for start, out in answers.items()}))
    assert (found.path if found else "") == (f"/usr/bin/{path}" if path else "")


@pytest.mark.parametrize(
    ("shell", "message"),
    [
        pytest.param(without("test -d /run/systemd/system"), "does not run systemd", id="no systemd"),
        pytest.param(without(more={"uname -s -n -m": Result(out=b"Darwin m arm64")}), "Darwin, not Linux", id="macOS"),
        pytest.param(
            without(more={"df -Pk /opt": Result(out=b"h\n/dev/a 1 1 1000 99% /\n")}),
            "only 0 MiB are free",
            id="full disk",
        ),
    ],
)
async def test_machines_that_cannot_become_servers(shell: Scripted, message: str) -> None:
    seen = await machine.look(shell)
    with pytest.raises(TakoError, match=message):
        seen.check()


async def test_python_is_installed_by_the_machines_own_means() -> None:
    shell = Scripted({"apt-get update": Result()}, {"env DEBIAN": {"/usr/bin/python3": Result(out=b"3.11.2\n")}})
    found = await machine.install_python(shell, "/usr/bin/apt-get")
    assert found == machine.Python("/usr/bin/python3", "3.11.2")
    assert shell.ran[1].endswith("apt-get install -y --no-install-recommends python3")


async def test_a_machine_without_a_new_python_says_so() -> None:
    shell = Scripted({"dnf": Result(code=1, err=b"No match for argument: python3.11\n")})
    with pytest.raises(TakoError, match=r"no Python 3\.11.*No match for argument"):
        await machine.install_python(shell, "/usr/bin/dnf")
