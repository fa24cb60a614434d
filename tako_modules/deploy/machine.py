"""A machine before it is a server: what can be learned with commands that every system has, and Python put in place."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tako_modules.base.errors import TakoError
from tako_modules.ssh.shell import Result, Shell

__all__ = ["LEAST_FREE", "LEAST_PYTHON", "Machine", "Python", "install_python", "look", "read_os_release"]

LEAST_PYTHON = (3, 11)
LEAST_FREE = 512 << 20  # bytes on the disk of /opt: the program twice, and a first release beside it
INSTALL_SECONDS = 900.0  # for a package installer on a slow mirror
PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")  # the system's own first
_FOLDERS = ("/usr/bin", "/usr/local/bin")
_PROBE = "import ctypes,sqlite3,ssl,sys,zlib;print('%d.%d.%d'%sys.version_info[:3])"  # a cut-down Python lacks some
_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_INSTALLERS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    # program → what comes first, how a package is installed, names to try in this order
    "/usr/bin/apt-get": (
        ("apt-get", "update"),
        ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends"),
        ("python3", "python3.13", "python3.12", "python3.11"),
    ),
    "/usr/bin/dnf": (("dnf", "makecache"), ("dnf", "install", "-y"), ("python3", "python3.12", "python3.11")),
    "/sbin/apk": (("apk", "update"), ("apk", "add"), ("python3",)),
}


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter that tako can run on."""

    path: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What was seen; python: None when none fits; installer: of packages, "" for none."""

    system: str
    name: str
    arch: str
    libc: str
    host: str
    free: int
    is_systemd: bool
    python: Python | None
    installer: str

    @property
    def words(self) -> str:
        """Describe it for a person."""
        python = f"Python {self.python.version}" if self.python else "no Python 3.11 or newer"
        return f"{self.name or self.system}, {self.arch}, {self.libc or 'unknown libc'}, {python}"

    def check(self) -> None:
        """Raise TakoError when it cannot become a server, whatever is installed there."""
        if self.system != "Linux":
            raise TakoError(f"this machine runs {self.system}, not Linux", hint="a server needs Linux with systemd")
        if not self.is_systemd:
            raise TakoError(
                f"this machine ({self.name or 'Linux'}) does not run systemd",
                hint="use one that does, e.g. Debian, Ubuntu or Fedora",
            )
        if self.free < LEAST_FREE:
            raise TakoError(
                f"only {self.free >> 20} MiB are free below /opt, and {LEAST_FREE >> 20} MiB are needed",
                hint="free some space there (look with `df -h`), then run the same command again",
            )


async def look(shell: Shell) -> Machine:
    """Look at a machine; nothing is changed and nothing but its base system is needed."""
    system, host, arch = _words(await shell.run("uname", "-s", "-n", "-m"), 3)
    release = read_os_release((await shell.run("cat", "/etc/os-release")).out.decode(errors="replace"))
    disk = await shell.run("df", "-Pk", "/opt")
    if disk.code != 0:
        disk = await shell.run("df", "-Pk", "/")
    return Machine(
        system=system,
        name=release.get("PRETTY_NAME", ""),
        arch=_ARCHITECTURES.get(arch, arch),
        libc=await _libc(shell),
        host=host,
        free=_free(disk.out.decode(errors="replace")),
        is_systemd=(await shell.run("test", "-d", "/run/systemd/system")).code == 0,
        python=await find_python(shell),
        installer=await _installer(shell),
    )


def read_os_release(text: str) -> dict[str, str]:
    """Read os-release(5): NAME=value lines, quoted or not."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}


async def find_python(shell: Shell) -> Python | None:
    """Find the first interpreter that fits, at a path that stays."""
    for path in (f"{folder}/{name}" for name in PYTHONS for folder in _FOLDERS):
        done = await shell.run(path, "-IS", "-c", _PROBE)
        version = done.out.decode(errors="replace").strip()
        if done.code == 0 and _number(version) >= LEAST_PYTHON:
            return Python(path, version)
    return None


async def install_python(shell: Shell, installer: str) -> Python:
    """Install a Python that fits by the machine's package installer; raises TakoError when it has none."""
    first, install, names = _INSTALLERS[installer]
    await shell.run(*first, timeout=INSTALL_SECONDS)  # a mirror that fails here fails again below, with its words
    done = Result()
    for name in names:
        done = await shell.run(*install, name, timeout=INSTALL_SECONDS)
        found = await find_python(shell)
        if found is not None:
            return found
    words = done.err.decode(errors="replace").strip().splitlines()[-3:]
    raise TakoError(
        f"{shell.name} has no Python 3.11 or newer, and {installer} has none to install: {' / '.join(words)}",
        hint="install one as /usr/bin/python3 or /usr/local/bin/python3.11, then run the same command again",
    )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2]) if re.fullmatch(r"\d+\.\d+\.\d+", version) else ()


def _words(done: Result, count: int) -> Sequence[str]:
    words = done.out.decode(errors="replace").split()
    return (words + [""] * count)[:count]


async def _libc(shell: Shell) -> str:
    """Name the C library and its version: `glibc 2.36`, `musl`."""
    done = await shell.run("getconf", "GNU_LIBC_VERSION")
    if done.code == 0 and done.out.strip():
        return done.out.decode(errors="replace").strip()
    told = await shell.run("ldd", "--version")
    return "musl" if b"musl" in told.out + told.err else ""


async def _installer(shell: Shell) -> str:
    for path in _INSTALLERS:
        if (await shell.run("test", "-x", path)).code == 0:
            return path
    return ""


def _free(listing: str) -> int:
    """Read the free bytes of `df -Pk`: the fourth column of its last line."""
    rows = listing.splitlines()
    words = rows[-1].split() if rows else []
    return int(words[3]) << 10 if len(words) > 3 and words[3].isdigit() else 0
