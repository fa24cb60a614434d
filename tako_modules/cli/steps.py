"""Words for the steps of a deploy: what would be done, and what is being done on which server."""

from collections.abc import Sequence

from tako_modules.base.text import size_text
from tako_modules.deploy.target import Target
from tako_modules.model.project import Project

from .console import Console, Step

__all__ = ["Shown", "plan"]


def plan(project: Project, env: str, targets: Sequence[Target]) -> list[str]:
    """List the steps of a deploy in the order in which they run."""
    environment = project.environment(env)
    routes = ", ".join(environment.routes) if environment else ""
    lines = [f"build {project.name}" + (f" with `{project.build}`" if project.build else "")]
    for target in targets:
        count = f"{target.instances} instances" if target.instances != 1 else "1 instance"
        size = count if target.instances else f"on demand, asleep after {target.idle_timeout} s"
        lines += [
            f"{target.name}: take the lease, check disk and routes",
            f"{target.name}: upload what is missing, unpack, install dependencies",
        ]
        if project.release and target is targets[0]:
            lines.append(f"{target.name}: run the release command `{project.release}` once, before any traffic moves")
        lines.append(f"{target.name}: roll out, start first, one instance at a time ({size}), for {routes}")
    return lines


class Shown:
    """Shows what a deploy tells: one moving line per server on a terminal, a line per step elsewhere."""

    def __init__(self, screen: Console, *, several: bool) -> None:
        self._screen = screen
        self._several = several
        self._steps: dict[str, Step] = {}

    def _name(self, server: str, text: str) -> str:
        return f"{server}: {text}" if self._several and server else text

    def step(self, server: str, text: str) -> None:
        """A step begins; the one before it on that server is done."""
        self.end(server)
        self._steps[server] = self._screen.begin(self._name(server, text))

    def line(self, server: str, text: str) -> None:
        """Pass on what a command printed."""
        self._screen.say(f"  {self._name(server, text)}")

    def sent(self, server: str, sent: int, total: int) -> None:
        """Move the bar of an upload."""
        if server in self._steps:
            self._steps[server].update(sent, total)

    def end(self, server: str, *, ok: bool = True) -> None:
        """The step that runs on a server is over."""
        step = self._steps.pop(server, None)
        if step is not None:
            step.end(ok=ok)


def sent_text(sent: int, saved: int) -> str:
    """Say how much travelled."""
    return f"{size_text(sent)} sent" + (f", {size_text(saved)} saved" if saved else "")
