"""A server as the programs see it: a name, and connections that speak the management protocol."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from tako_modules.mgmt.client import Client
from tako_modules.model.release import Recipe
from tako_modules.model.server import Server
from tako_modules.plan.delivery import Delivery

__all__ = ["Connection", "Reach", "Target"]


@dataclass(frozen=True, slots=True)
class Connection:
    """An open way to one server: a client, and more of them on demand, for what must run beside a long call."""

    client: Client
    another: Callable[[], AbstractAsyncContextManager[Client]]


Reach = Callable[[Server], AbstractAsyncContextManager[Connection]]


@dataclass(frozen=True, slots=True)
class Target:
    """One server of a deploy, with how many instances it gets."""

    server: Server
    instances: int = 1
    idle_timeout: int = 300

    def delivery(self, release: str, recipe: Recipe, routes: tuple[str, ...]) -> Delivery:
        """Tell what decides about the stages of a deploy here; release: the project's command."""
        return Delivery(
            release=release,
            installs=bool(recipe.install),
            instances=self.instances,
            idle_timeout=self.idle_timeout,
            routes=routes,
        )

    @property
    def name(self) -> str:
        """The server's name in the inventory."""
        return self.server.name
