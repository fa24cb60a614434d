"""What a tako.toml describes: the app, its environments, and which servers run it."""

import msgspec

from .release import HealthCheck

__all__ = ["Environment", "Placement", "Project", "Service"]


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """How one server runs the app; host and port are used where the inventory lacks the name."""

    server: str
    envs: tuple[str, ...]
    instances: int = 1
    idle_timeout: int = 300
    host: str = ""
    port: int = 22


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """One environment: its routes, and its own variables over the common ones."""

    name: str
    routes: tuple[str, ...]
    vars: dict[str, str] = {}


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of process of an app; `web` is the one that the top level of tako.toml describes."""

    name: str = "web"
    start: tuple[str, ...] = ()
    dev: tuple[str, ...] = ()
    health: HealthCheck = HealthCheck()


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A whole tako.toml, checked; runtime "" means: detect it; build None means: the runtime's own, "" means: none."""

    name: str
    runtime: str = ""
    main: str = ""
    build: str | None = None
    release: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    vars: dict[str, str] = {}
    services: tuple[Service, ...] = (Service(),)
    environments: tuple[Environment, ...] = ()
    placements: tuple[Placement, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def web(self) -> Service:
        """The service that the top level describes."""
        return self.services[0]

    def environment(self, name: str) -> Environment | None:
        """Find an environment by name."""
        return next((env for env in self.environments if env.name == name), None)

    def variables(self, env: str) -> dict[str, str]:
        """Merge `[vars]` and `[vars.<env>]`; the second wins."""
        chosen = self.environment(env)
        return {**self.vars, **(chosen.vars if chosen else {})}
