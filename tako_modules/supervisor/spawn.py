"""What init is asked to start: an instance or a one-shot task, one frozen request (`spawn` in docs/inside/init.md)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from tako_modules.base.errors import TakoError
from tako_modules.base.text import size_text
from tako_modules.model.instance import Instance
from tako_modules.model.release import Recipe

__all__ = ["Ground", "Programs", "SpawnRequest", "instance_request", "resolve", "task_request"]

BASE_PATH = "/usr/local/bin:/usr/bin:/bin"
HOST = "127.0.0.1"  # instances are reached over loopback alone
UMASK = 0o077  # what an app writes is its own user's
NOFILE = (
    65536  # descriptors of one process: beyond what an app on one machine serves; init lowers it to what it may set
)
REQUEST_LIMIT = 120 << 10  # bytes of a request: init takes packets of 128 KiB, the rest is for its `op`


class Programs(msgspec.Struct, frozen=True, kw_only=True):
    """What the placeholders of a recipe stand for: argv prefixes of tako and of the pip in its archive, and python3."""

    tako: tuple[str, ...]
    pip: tuple[str, ...]
    python: str


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Where and as whom a deployment's processes run; uid and gid None: the server's own, on a rootless server.

    release: the folder of the version; home: what the app keeps; temporary: its TMPDIR; cgroups: folders to enter.
    """

    release: Path
    home: Path
    temporary: Path
    uid: int | None = None
    gid: int | None = None
    cgroups: tuple[str, ...] = ()
    nofile: int = NOFILE


class SpawnRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The members of init's `spawn`; None means absent."""

    id: str
    kind: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()
    umask: int = UMASK
    nofile: int | None = None
    cgroups: tuple[str, ...] = ()
    oom_score_adj: int | None = None
    nice: int | None = None
    stdin: bool = False

    def fields(self) -> dict[str, object]:
        """Give the members as init's packet wants them."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}

    def checked(self) -> "SpawnRequest":
        """Give this request; raises TakoError for what no process can be given."""
        for name, value in self.env.items():
            if "\0" in value or "\0" in name or "=" in name or not name:
                raise TakoError(
                    f"the variable {name!r} cannot be in an environment: a name has no '=', and neither has a NUL byte",
                    hint="correct it in [vars] of tako.toml and deploy again",
                )
        if any("\0" in argument for argument in self.argv):
            raise TakoError(
                f"the command {self.argv[0]!r} has a NUL byte", hint="correct it in tako.toml and deploy again"
            )
        size = len(msgspec.json.encode(self.fields()))
        if size > REQUEST_LIMIT:
            raise TakoError(
                f"command and variables of {self.id} take {size_text(size)}, more than {size_text(REQUEST_LIMIT)}",
                hint="move large values from [vars] into a file of the release and deploy again",
            )
        return self


def instance_request(
    instance: Instance, recipe: Recipe, env: Mapping[str, str], ground: Ground, programs: Programs
) -> SpawnRequest:
    """Ask for one instance of a release; env: its variables, to which PORT, HOST, PATH, HOME and TMPDIR are added.

    Raises TakoError.
    """
    own = {**_environment(env, recipe.path, ground), "PORT": str(instance.port), "HOST": HOST}
    argv = resolve(recipe.start, programs, instance.port)
    return _request(instance.id, "instance", argv, own, ground).checked()


def task_request(
    ident: str, argv: Sequence[str], env: Mapping[str, str], ground: Ground, *, programs: Programs, path: Sequence[str]
) -> SpawnRequest:
    """Ask for a program that runs once in a release: an install, a release command, a look at ports.

    path: folders below the release put in front of PATH. Raises TakoError.
    """
    return _request(ident, "task", resolve(argv, programs), _environment(env, path, ground), ground).checked()


def _request(ident: str, kind: str, argv: tuple[str, ...], env: dict[str, str], ground: Ground) -> SpawnRequest:
    return SpawnRequest(
        id=ident,
        kind=kind,
        argv=argv,
        env=env,
        cwd=str(ground.release),
        uid=ground.uid,
        gid=ground.gid,
        groups=() if ground.gid is None else (ground.gid,),
        nofile=ground.nofile,
        cgroups=ground.cgroups,
    )


def _environment(env: Mapping[str, str], path: Sequence[str], ground: Ground) -> dict[str, str]:
    front = [str(ground.release / folder) for folder in path]
    return {
        "LANG": "C.UTF-8",
        **env,
        "PATH": ":".join([*front, env.get("PATH") or BASE_PATH]),
        "HOME": str(ground.home),
        "TMPDIR": str(ground.temporary),
    }


def resolve(argv: Sequence[str], programs: Programs, port: int | None = None) -> tuple[str, ...]:
    """Replace the placeholders of a recipe: `{tako}` and `{pip}` as whole words, `{python}` and `{port}` anywhere."""
    return tuple(word for given in argv for word in _words(given, programs, port))


def _words(given: str, programs: Programs, port: int | None) -> Iterator[str]:
    if given == "{tako}":
        yield from programs.tako
    elif given == "{pip}":
        yield from programs.pip
    else:
        word = given.replace("{python}", programs.python)
        yield word if port is None else word.replace("{port}", str(port))
