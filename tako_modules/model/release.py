"""An artifact unpacked on a server, and how its processes are built and started."""

import msgspec

__all__ = ["HealthCheck", "Recipe", "Release"]


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an instance proves that it is well: `[health]` of tako.toml; timeout: seconds from start to healthy."""

    path: str = ""
    timeout: float = 30.0


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a release becomes processes on a server.

    runtime: a name of runtimes/catalog; tools: tool → exact version; install: the argv lists that fetch dependencies
    as the app's user, in order; start: the argv of one instance, `{port}` is replaced; path: folders below the release
    put in front of PATH; env: what the runtime itself sets.
    """

    runtime: str
    tools: dict[str, str] = {}
    install: tuple[tuple[str, ...], ...] = ()
    start: tuple[str, ...]
    path: tuple[str, ...] = ()
    env: dict[str, str] = {}
    health: HealthCheck = HealthCheck()


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a deployment on a server; served: it was healthy for its stability window.

    size, sha256: of the artifact that it was unpacked from.
    """

    app: str
    version: str
    created_at: float
    env: dict[str, str] = {}
    recipe: Recipe | None = None
    size: int = 0
    sha256: str = ""
    prepared: bool = False
    served: bool = False
