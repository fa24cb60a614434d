"""Build `dist/tako.pyz`, the one file: `python3 build_zipapp.py --host-only`, with any Python from 3.11 on.

Locked wheels with hashes, sorted, fixed times and modes: the same sources, wheels and strip give the same bytes.
docs/inside/archive.md tells what is in the file and how it starts.
"""

import argparse
import fcntl
import hashlib
import importlib
import importlib.util
import io
import os
import platform
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
RUNTIME_LOCK = HERE / "requirements/runtime.txt"
TOOLS_LOCK = HERE / "requirements/build.txt"
EARLIEST = 315532800  # 1980-01-01: zip files know no earlier time
FILE_MODE = 0o644
ENTRY = "_bootstrap.gate:enter"
SHEBANG = "/usr/bin/env python3"
USAGE = 2
FAILED = 1

# What a runtime does without. The accelerators have the same module as Python beside them.
ACCELERATORS = ("tomli/",)
UNUSED_FOLDERS = ("bin/", "cffi/", "pycparser/", "pycparser-")
UNUSED_SUFFIXES = (".pyc", ".pyi", ".pyx", ".pxd", ".c", ".h")
# they differ from wheel to wheel, or tell about an installation that this is not
UNUSED_METADATA = ("RECORD", "WHEEL", "INSTALLER", "REQUESTED", "direct_url.json")
# Every other native file is a surprise that somebody must look at.
NATIVES = ("_cffi_backend.", "bcrypt/_bcrypt.", "cryptography/hazmat/bindings/_rust.", "msgspec/_core.")


class BuildError(Exception):
    """The file cannot be built; the text says why and what to do."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Target:
    """Who a file is built for: the interpreter's tag as the boot computes it, and the member with its natives."""

    tag: str
    member: str

    @property
    def members(self) -> tuple[str, ...]:
        """The nested zips that make this target's runtime."""
        return ("app.zip", "common.zip", self.member)


def main() -> int:
    """Build the file that the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(description="Build tako.pyz, the one file that Tako is.")
    parser.add_argument("--host-only", action="store_true", help="for this machine's Python and platform alone")
    parser.add_argument("--output", type=Path, default=HERE / "dist/tako.pyz", help="default: dist/tako.pyz")
    options = parser.parse_args()
    started = time.monotonic()
    try:
        check(host_only=options.host_only)
        with one_at_a_time():
            build(options.output.resolve())
    except BuildError as error:
        print(f"build_zipapp: {error}", file=sys.stderr)
        return error.exit_code
    print(f"done in {time.monotonic() - started:.1f} s")
    return 0


def check(*, host_only: bool) -> None:
    """Refuse what cannot be built; raises BuildError."""
    if sys.hexversion < 0x030B00F0:
        raise BuildError("Python 3.11 or newer is needed: run `python3.11 build_zipapp.py --host-only`", USAGE)
    if not host_only:
        raise BuildError(
            "the file for all platforms comes with a later version: run `python3 build_zipapp.py --host-only`", USAGE
        )


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other build uses the folder build/."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / "lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(output: Path) -> None:
    """Build for this interpreter; prints a line per step, and path, size and SHA-256 at the end."""
    target = host_target()
    stage = installed(RUNTIME_LOCK, f"runtime-{target.tag}", f"wheels for {target.tag}")
    tools = installed(TOOLS_LOCK, "tools", "shiv")
    say("packing")
    files = sorted_files(stage)
    natives = {name: path for name, path in files.items() if is_native(name)}
    common = {name: path.read_bytes() for name, path in files.items() if name not in natives}
    nested = {"common.zip": zip_of(common), target.member: zip_of(stripped(natives))}
    app = app_files()
    version, digest = version_of(app), digest_of(nested, app, boot_files())
    stamp = f'"""Which file this is and for whom."""\nVERSION = "{version}"\nBUILD = "{digest[:16]}"\n'
    stamp += f'ENTRY = "tako_modules.cli.main"\nTARGETS = {{{target.tag!r}: {target.members!r}}}\n'
    name = "tako_modules/__init__.py"
    app[name] = app[name].replace(b'BUILD = "source"', f'BUILD = "{digest[:16]}"'.encode())
    nested["app.zip"] = zip_of(app)
    assemble(tools, nested, {**boot_files(), "stamp.py": stamp.encode()}, digest, output)
    data = output.read_bytes()
    print(f"{output}\n{len(data)} bytes\nsha256 {hashlib.sha256(data).hexdigest()}")


def host_target() -> Target:
    """Describe the running interpreter."""
    boot = load(HERE / "tako_modules/boot", "tako_boot")
    tag = importlib.import_module(f"{boot.__name__}.start").interpreter_tag()
    if not tag.startswith("cpython-3"):
        raise BuildError(f"{sys.executable} is {platform.python_implementation()}: CPython is needed", USAGE)
    libc = "-musl" if tag.endswith("-musl") else ""
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    return Target(tag, f"{sys.platform}-{platform.machine()}{libc}-cp{version}.zip")


def installed(lock: Path, name: str, what: str) -> Path:
    """Install a lock file's wheels into a folder of their own, or take the folder of the last build as it is."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    folder, stamp = BUILD / name, BUILD / f"{name}.stamp"
    if stamp.is_file() and stamp.read_text() == digest and folder.is_dir():
        say(f"taking {what} from {folder.relative_to(HERE)}")
        return folder
    say(f"installing {what}")
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run_pip("--target", str(folder), "--requirement", str(lock))
    stamp.write_text(digest)
    return folder


def run_pip(*arguments: str) -> None:
    """Install by hashes, wheels only, with this Python's pip or the one that venv brings."""
    python = sys.executable if importlib.util.find_spec("pip") else venv_python()
    argv = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    argv += ["--require-hashes", "--only-binary", ":all:", "--no-compile", "--ignore-installed", *arguments]
    # the user's settings (index, proxy, cache) hold, but not what would lead the install elsewhere
    stray = {"PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIREMENT", "PIP_NO_BINARY", "PYTHONPATH"}
    environment = {name: value for name, value in os.environ.items() if name not in stray}
    if subprocess.run(argv, env=environment, check=False).returncode:
        raise BuildError("pip could not install the locked wheels; its message is above. Then run this again")


def venv_python() -> str:
    """Make an environment with pip below build/; raises BuildError when this Python has neither pip nor venv."""
    python = BUILD / "env/bin/python"
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        raise BuildError(NO_PIP, USAGE)
    if not python.exists():
        say("making an environment with pip")
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(BUILD / "env")], check=False)
        if made.returncode:
            raise BuildError(NO_PIP, USAGE)
    return str(python)


NO_PIP = (
    f"{sys.executable} has neither pip nor venv.\n"
    "On Debian and Ubuntu: `sudo apt-get install python3-venv`, then run this again"
)


def sorted_files(stage: Path) -> dict[str, Path]:
    """List what a runtime needs of the installed wheels, by name; raises BuildError for an unknown native file."""
    files = {}
    for path in sorted(stage.rglob("*")):
        name = path.relative_to(stage).as_posix()
        if path.is_dir() or "__pycache__" in path.parts or name.startswith(UNUSED_FOLDERS):
            continue
        if ".dist-info/" in name and (path.name in UNUSED_METADATA or "/sboms/" in name):
            continue
        if name.endswith(UNUSED_SUFFIXES) or (is_native(name) and is_accelerator(name)):
            continue
        if is_native(name) and not name.startswith(NATIVES):
            raise BuildError(f"{name} is an unknown native file: name it in NATIVES or ACCELERATORS")
        files[name] = path
    return files


def is_native(name: str) -> bool:
    """Whether a file of a wheel is machine code."""
    return name.endswith((".so", ".dylib")) or ".so." in name


def is_accelerator(name: str) -> bool:
    """Whether a native file only speeds up what is there as Python too; mypyc's shared part lies beside the package."""
    return name.startswith(ACCELERATORS) or "__mypyc." in name


def stripped(natives: Mapping[str, Path]) -> dict[str, bytes]:
    """Read native files without their debug symbols; on macOS as they are, for their signatures' sake."""
    tool = shutil.which("strip") if sys.platform == "linux" else None
    if sys.platform == "linux" and tool is None:
        say("natives keep their debug symbols: `strip` is missing (Debian: `sudo apt-get install binutils`)")
    shorter = BUILD / "stripped"
    shorter.mkdir(parents=True, exist_ok=True)
    contents = {}
    for name, path in natives.items():
        kept = path
        if tool is not None:
            kept = shorter / path.name
            subprocess.run([tool, "--strip-unneeded", "-o", str(kept), str(path)], check=True)
        contents[name] = kept.read_bytes()
    return contents


def app_files() -> dict[str, bytes]:
    """Read tako's own code and data, without the boot: by their names in the runtime."""
    return {
        path.relative_to(HERE).as_posix(): path.read_bytes()
        for path in sorted((HERE / "tako_modules").rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and "boot" not in path.relative_to(HERE).parts[:2]
    }


def boot_files() -> dict[str, bytes]:
    """Read the modules of the boot, in the order in which they are packed."""
    return {path.name: path.read_bytes() for path in sorted((HERE / "tako_modules/boot").glob("*.py"))}


def version_of(app: Mapping[str, bytes]) -> str:
    """Find the version in tako's own package."""
    lines = app["tako_modules/__init__.py"].decode().splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("VERSION = "))


def digest_of(*groups: Mapping[str, bytes]) -> str:
    """Name a build by everything in it: names and contents."""
    total = hashlib.sha256()
    for name, data in (item for group in groups for item in sorted(group.items())):
        total.update(f"{name}\0{len(data)}\0".encode() + data)
    return total.hexdigest()


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """Pack files into a zip that depends on their names and contents alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, time.gmtime(build_time())[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, on whatever system this runs
            entry.external_attr = FILE_MODE << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def build_time() -> int:
    """Give the time that all entries carry, in seconds since 1970: SOURCE_DATE_EPOCH, else the earliest one."""
    return max(EARLIEST, int(os.environ.get("SOURCE_DATE_EPOCH") or EARLIEST))


def assemble(tools: Path, nested: Mapping[str, bytes], boot: Mapping[str, bytes], digest: str, output: Path) -> None:
    """Let shiv write the archive, with the boot in the place of its own."""
    folder = BUILD / "archive"
    shutil.rmtree(folder, ignore_errors=True)
    write_all(folder / "site-packages/p", nested)
    write_all(folder / "_bootstrap", boot)
    sys.path.insert(0, str(tools))
    builder = importlib.import_module("shiv.builder")
    constants = importlib.import_module("shiv.constants")
    environment = importlib.import_module("shiv.bootstrap.environment").Environment(
        built_at=time.strftime(constants.BUILD_AT_TIMESTAMP_FORMAT, time.gmtime(build_time())),
        shiv_version=importlib.import_module("shiv").__version__,
        build_id=digest,
        entry_point="tako_modules.cli.main:main",
        compile_pyc=False,
        reproducible=True,
    )
    # shiv 1.0.8 packs its bootstrap in the order of the directory: this one is sorted
    vars(builder)["iter_package_files"] = lambda _: own_boot(folder / "_bootstrap")
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        # stored: the nested zips are compressed, and what is not in them is read at every start
        builder.create_archive([folder / "site-packages"], part, SHEBANG, ENTRY, environment, compressed=False)
        part.chmod(0o755)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def own_boot(folder: Path) -> Iterator[tuple[Path, str]]:
    """List the boot's files as shiv wants them: path and name."""
    for path in sorted(folder.iterdir()):
        yield path, path.name


def write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files with one mode, whatever the umask is: shiv copies modes into the archive."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        path = folder / name
        path.write_bytes(data)
        path.chmod(FILE_MODE)


def load(folder: Path, name: str) -> ModuleType:
    """Import a package of the checkout from its folder, under a name of its own."""
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def say(text: str) -> None:
    """Tell the person which step is running."""
    print(f"{text} …", flush=True)


if __name__ == "__main__":
    sys.exit(main())
