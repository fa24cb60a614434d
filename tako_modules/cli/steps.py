"""Words for the steps of a deploy: what would be done, and what is being done on which server."""

from collections.abc import Sequence

from tako_modules.base.text import size_text
from tako_modules.deploy.target import Target
from tako_modules.model.project import Project
from tako_modules.model.release import Recipe
from tako_modules.plan import delivery

from .console import Console, Step

__all__ = ["Shown", "plan"]


def plan(project: Project, env: str, targets: Sequence[Target], build: str, recipe: Recipe) -> list[str]:
    """List what a deploy would do in the order in which it runs, by the planner that a deploy follows."""
    environment = project.environment(env)
    lines = [f"build {project.name}" + (f" with `{build}`" if build else "")]
    routes = environment.routes if environment else ()
    listed: set[delivery.Phase] = set()
    for target in targets:
        lines.append(f"{target.name}: take the lease")
        for phase, words in delivery.stages(target.delivery(project.release, recipe, routes)):
            if phase not in listed:
                lines.append(words if phase in delivery.ONCE and len(targets) > 1 else f"{target.name}: {words}")
            listed |= delivery.ONCE & {phase}
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
