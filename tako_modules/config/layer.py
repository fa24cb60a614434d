"""The environment of an instance: layers of variables, of which the later wins."""

from collections.abc import Mapping

import msgspec

from .rules import is_reserved

__all__ = ["INHERITED", "Own", "instance_environment"]

INHERITED = ("PATH", "HOME", "LANG", "TZ")  # all that an instance gets of the server's own environment
DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """What tako tells an instance about itself; port 0 leaves PORT out (installs and the release command)."""

    app: str
    env: str
    build: str
    data_dir: str
    instance: str = ""
    host: str = "127.0.0.1"
    port: int = 0


def instance_environment(
    own: Own,
    *,
    variables: Mapping[str, str],
    secrets: Mapping[str, str],
    runtime: Mapping[str, str],
    inherited: Mapping[str, str],
    path: tuple[str, ...] = (),
) -> dict[str, str]:
    """Merge what an instance sees, later wins: inherited, variables, secrets, tako's own, the runtime's.

    variables: `[vars]` under `[vars.<env>]`, merged already; runtime: the recipe's `env`; inherited: the server's
    environment, of which INHERITED is taken; path: folders that come first on PATH. Values stay byte for byte.
    """
    given = {**variables, **secrets}
    merged = {
        **{name: inherited[name] for name in INHERITED if name in inherited},
        **{name: value for name, value in given.items() if not is_reserved(name)},
        **_own(own),
        **runtime,
    }
    merged["PATH"] = ":".join((*path, merged.get("PATH") or DEFAULT_PATH))
    return merged


def _own(own: Own) -> dict[str, str]:
    values = {
        "ENV": own.env,
        "TAKO_ENV": own.env,
        "TAKO_APP": own.app,
        "TAKO_BUILD": own.build,
        "TAKO_DATA_DIR": own.data_dir,
        "HOST": own.host,
    }
    if own.instance:
        values["TAKO_INSTANCE"] = own.instance
    if own.port:
        values["PORT"] = str(own.port)
    return values
