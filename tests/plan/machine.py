"""A make-believe server: it carries steps out on values and lets time pass in jumps, so that plans can be watched."""

from collections.abc import Callable

import msgspec

from tako_modules.model.deployment import Deployment, Kind, Outcome, Rollout, Shape, Vitals
from tako_modules.model.instance import Instance, InstanceEvent, InstanceState
from tako_modules.plan import health, reconcile, restart, steps
from tako_modules.plan import rollout as rollout_plan
from tako_modules.plan.view import View

replace = msgspec.structs.replace
BOOT = 0.5  # seconds until a good instance is healthy


class Machine:
    """One deployment; `behaves(version)` tells what its instances do: ok, exit, never or stubborn."""

    def __init__(self, deployment: Deployment, behaves: Callable[[str], str] = lambda version: "ok") -> None:
        self.deployment = deployment
        self.instances: dict[int, Instance] = {}
        self.behaves = behaves
        self.now = 1000.0
        self.serving: list[int] = []
        self.history: list[str] = []

    def view(self) -> View:
        """What the planner sees."""
        return View(deployment=self.deployment, instances=tuple(self.instances.values()), now=self.now)

    def alter(self, **changes: object) -> None:
        """Change the deployment."""
        self.deployment = replace(self.deployment, **changes)

    def roll(self, after: Shape, kind: Kind = Kind.DEPLOY, **changes: object) -> None:
        """Begin a rollout."""
        rollout = Rollout(
            id="r",
            app=self.deployment.app,
            kind=kind,
            after=after,
            before=self.deployment.shape,
            deadline=self.now + 300,
            first_number=self.deployment.next_number,
        )
        self.alter(rollout=replace(rollout, **changes))

    def settle(self) -> None:
        """Carry out what the planner says until it says nothing."""
        for _ in range(100):
            found = reconcile.steps(self.view())
            if not found:
                self.serving.append(self.capacity())
                return
            for step in found:
                self._do(step)
        raise AssertionError(f"the plan does not settle: {found}")

    def capacity(self) -> int:
        """How many instances get traffic."""
        return sum(one.admitted and one.state is InstanceState.HEALTHY for one in self.instances.values())

    def versions(self) -> set[str]:
        """Which versions get traffic."""
        return {one.version for one in self.instances.values() if one.admitted}

    def run(self, seconds: float) -> None:
        """Let time pass: instances boot, exit and drain, and the planner is asked whenever something may change."""
        end = self.now + seconds
        self.settle()
        while self.now < end:
            self.now = min(end, round(self.now + 0.25, 3))
            for one in list(self.instances.values()):
                self._live(one)
            self.settle()

    def _live(self, one: Instance) -> None:
        if one.gone:
            return
        conduct = self.behaves(one.version)
        age = self.now - one.spawned_at
        if one.killed or (one.terminated_at is not None and conduct != "stubborn"):
            self._exit(one, -9 if one.killed else 0)
        elif one.state is InstanceState.STARTING and conduct == "exit" and age >= BOOT:
            self._exit(one, 3)
        elif one.state is InstanceState.STARTING and conduct in ("ok", "stubborn", "hangs") and age >= BOOT:
            self.instances[one.number] = health.after_pass(one, self.now)
        elif one.state is InstanceState.HEALTHY and conduct != "hangs":
            self.instances[one.number] = health.after_pass(one, self.now)
            self.alter(vitals=restart.after_pass(self.deployment.vitals, one, self.now))
        elif one.state is InstanceState.DRAINING and one.withdrawn_at is not None and self.now > one.withdrawn_at:
            self.instances[one.number] = replace(one, drained=True)

    def _exit(self, one: Instance, code: int) -> None:
        expected = one.state in (InstanceState.DRAINING, InstanceState.FAILED)
        self.instances[one.number] = health.after_exit(one, code)
        change = self.deployment.rollout
        if not expected and not (change and rollout_plan.tries(change, one)):
            self.alter(vitals=restart.after_crash(self.deployment.vitals, one, self.now, "it exited"))

    def crash(self, number: int) -> None:
        """End an instance that nobody asked to end."""
        self._exit(self.instances[number], 1)
        self.settle()

    def _do(self, step: steps.Step) -> None:
        self.history.append(type(step).__name__)
        match step:
            case steps.Spawn(version=version):
                number = self.deployment.next_number
                self.alter(next_number=number + 1)
                self.instances[number] = Instance(
                    app=self.deployment.app, number=number, version=version, port=20000 + number, spawned_at=self.now
                )
            case steps.Admit(number=number):
                self.instances[number] = replace(self.instances[number], admitted=True)
            case steps.Retire(number=number):
                one = self.instances[number]
                self.instances[number] = replace(health.retired(one, self.now), drained=not one.admitted)
            case steps.Terminate(number=number):
                self.instances[number] = replace(self.instances[number], terminated_at=self.now)
            case steps.Kill(number=number):
                self.instances[number] = replace(self.instances[number], killed=True, admitted=False)
            case steps.Break(number=number, reason=reason):
                one = self.instances[number].after(InstanceEvent.BROKEN)
                self.instances[number] = replace(one, reason=reason)
            case steps.Forget(number=number):
                del self.instances[number]
            case _:
                self._change(step)

    def _change(self, step: steps.Step) -> None:
        rollout = self.deployment.rollout
        match step:
            case steps.Commit():
                assert rollout is not None
                vitals = Vitals(awake=True, active_at=self.now)
                self.alter(shape=rollout.after, stopped=False, vitals=vitals, rollout=replace(rollout, committed=True))
            case steps.Undo(reason=reason):
                assert rollout is not None
                self.alter(rollout=replace(rollout, undoing=True, reason=reason, deadline=self.now + 60))
            case steps.Finish(outcome=outcome):
                assert rollout is not None
                self.alter(rollout=None, last=replace(rollout, outcome=outcome))
            case steps.Sleep():
                self.alter(vitals=replace(self.deployment.vitals, awake=False))

    @property
    def outcome(self) -> Outcome | None:
        """How the last rollout ended."""
        return self.deployment.last.outcome if self.deployment.last else None
