"""The inbox: facts in, steps out, one at a time and never waiting."""

import anyio

from tako_modules.model.deployment import Deployment, Shape, Vitals
from tako_modules.model.instance import Instance, InstanceState
from tako_modules.plan import steps
from tako_modules.server import facts
from tako_modules.server.inbox import Inbox
from tako_modules.server.registry import Entry, Registry
from tako_modules.store.db import DiskFull
from tests.kit.clock import ManualClock

START = 1000.0  # of a ManualClock
SHAPE = Shape(version="v", routes=("shop.example.com",))


class Hands:
    """Writes steps down and does the least that makes the plan go on."""

    def __init__(self) -> None:
        self.done: list[steps.Step] = []
        self.settled_apps: list[str] = []
        self.inbox: Inbox | None = None
        self.acted = anyio.Event()
        self.refused: tuple[type[steps.Step], ...] = ()
        self.disk_is_full = False

    def carry_out(self, entry: Entry, step: steps.Step) -> None:
        if isinstance(step, self.refused):
            raise DiskFull("no room")
        self.done.append(step)
        self.acted.set()
        if isinstance(step, steps.Spawn):
            number = entry.deployment.next_number
            entry.set(next_number=number + 1)
            entry.instances[number] = Instance(
                app=entry.app, number=number, version=step.version, port=20000 + number, spawned_at=START
            )
            if self.inbox is not None:
                self.inbox.put(entry.app, facts.Spawned(number=number, pid=7, birth=9))
        elif isinstance(step, steps.Admit):
            one = entry.instances[step.number]
            entry.instances[step.number] = Instance(
                app=one.app,
                number=one.number,
                version=one.version,
                port=one.port,
                state=one.state,
                pid=one.pid,
                healthy_at=one.healthy_at,
                spawned_at=one.spawned_at,
                admitted=True,
            )
        elif isinstance(step, steps.Forget):
            del entry.instances[step.number]

    def settled(self, entry: Entry) -> None:
        self.settled_apps.append(entry.app)
        if self.disk_is_full:
            raise DiskFull("no room")


def make(shape: Shape = SHAPE) -> tuple[Inbox, Hands, Entry, ManualClock]:
    registry, hands, clock = Registry(), Hands(), ManualClock()
    inbox = Inbox(registry, hands, clock)
    hands.inbox = inbox
    entry = registry.add(Deployment(app="shop", shape=shape, vitals=Vitals(active_at=clock.monotonic())))
    return inbox, hands, entry, clock


def test_a_fact_that_arrives_while_another_is_handled_waits_its_turn() -> None:
    inbox, hands, entry, _ = make()
    inbox.put("shop", facts.Tick())
    assert [type(step) for step in hands.done] == [steps.Spawn]
    assert entry.instances[1].pid == 7


def test_a_passed_probe_admits_and_an_exit_is_replaced_after_the_back_off() -> None:
    inbox, _, entry, clock = make()
    inbox.put("shop", facts.Tick())
    inbox.put("shop", facts.Passed(number=1))
    assert entry.instances[1].admitted
    inbox.put("shop", facts.Exited(number=1, code=3))
    assert 1 not in entry.instances
    assert entry.deployment.vitals.reason == "exited with code 3"
    clock.advance(0.5)
    inbox.put("shop", facts.Tick())
    assert not entry.instances
    clock.advance(0.6)
    inbox.put("shop", facts.Tick())
    assert entry.instances[2].state is InstanceState.STARTING


def test_facts_about_what_is_not_known_change_nothing() -> None:
    inbox, hands, _, _ = make()
    inbox.put("other", facts.Tick())
    inbox.put("shop", facts.Passed(number=99))
    inbox.put("shop", facts.Exited(number=99, code=0))
    assert hands.done == []
    assert hands.settled_apps == []


def test_a_closed_inbox_starts_nothing() -> None:
    inbox, hands, _, _ = make()
    inbox.closed = True
    inbox.put("shop", facts.Tick())
    assert hands.done == []


def test_a_wake_starts_a_sleeping_deployment_once() -> None:
    inbox, hands, entry, _ = make(Shape(version="v", routes=("a.example.com",), instances=0))
    inbox.put("shop", facts.Tick())
    assert hands.done == []
    inbox.put("shop", facts.Woken())
    inbox.put("shop", facts.Woken())
    assert [type(step) for step in hands.done] == [steps.Spawn]
    assert entry.deployment.vitals.awake


async def test_time_alone_brings_the_next_step() -> None:
    inbox, hands, entry, clock = make()
    inbox.put("shop", facts.Tick())
    inbox.put("shop", facts.Exited(number=1, code=1))
    hands.done.clear()
    hands.acted = anyio.Event()
    assert entry.wake_at is not None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(inbox.keep_time)
        with anyio.fail_after(5):
            clock.advance(1.1)
            await hands.acted.wait()
        tasks.cancel_scope.cancel()
    assert isinstance(hands.done[0], steps.Spawn)


def test_a_step_that_the_disk_refuses_hinders_no_other_and_is_tried_again() -> None:
    inbox, hands, entry, clock = make()
    inbox.put("shop", facts.Tick())
    inbox.put("shop", facts.Passed(number=1))
    hands.settled_apps.clear()
    hands.refused = (steps.Spawn, steps.Forget)
    inbox.put("shop", facts.Exited(number=1, code=3))
    assert hands.settled_apps == ["shop"], "the data plane must hear that the instance is gone"
    assert entry.instances[1].gone
    assert entry.wake_at is not None
    assert entry.wake_at <= clock.monotonic() + 2
    hands.refused = ()
    clock.advance(2)
    inbox.put("shop", facts.Tick())
    assert list(entry.instances) == [2]


def test_what_could_not_be_written_is_tried_again() -> None:
    inbox, hands, entry, clock = make()
    hands.disk_is_full = True
    inbox.put("shop", facts.Tick())
    assert entry.wake_at is not None
    assert entry.wake_at <= clock.monotonic() + 2
