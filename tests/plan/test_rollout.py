"""Rollouts watched from the outside: capacity, order, and what is left when they fail."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tako_modules.model.deployment import Deployment, Kind, Outcome, Shape, Vitals
from tako_modules.plan import health, steps
from tako_modules.plan import rollout as rollout_plan

from .machine import Machine

OLD = Shape(version="old", routes=("a.example.com",), instances=2)
NEW = Shape(version="new", routes=("b.example.com",), instances=2)


def running(shape: Shape = OLD) -> Machine:
    machine = Machine(Deployment(app="shop", shape=shape, vitals=Vitals(awake=True, active_at=1000.0)))
    machine.run(5)
    assert machine.capacity() == max(1, shape.instances)
    machine.serving.clear()
    machine.history.clear()
    return machine


def test_a_rollout_replaces_all_and_never_serves_with_less() -> None:
    machine = running()
    machine.roll(NEW)
    machine.run(30)
    assert machine.outcome is Outcome.SUCCESS
    assert machine.deployment.shape == NEW
    assert machine.versions() == {"new"}
    assert min(machine.serving) >= 2
    assert len(machine.instances) == 2


def test_instances_start_one_by_one_and_wait_out_their_window() -> None:
    machine = running()
    machine.roll(NEW)
    machine.run(2.25)
    assert machine.history.count("Spawn") == 1
    assert machine.versions() == {"old"}
    machine.run(1)
    assert machine.versions() == {"old", "new"}


def test_a_parallel_rollout_starts_all_at_once() -> None:
    machine = running()
    machine.roll(NEW, Kind.ROLLBACK, parallel=True, window=0.0)
    machine.run(1)
    assert machine.history.count("Spawn") == 2
    assert machine.versions() == {"new"}


def test_a_first_deploy_that_fails_leaves_nothing() -> None:
    machine = Machine(Deployment(app="shop"), lambda version: "exit")
    machine.roll(NEW)
    machine.run(10)
    assert machine.outcome is Outcome.FAILED
    assert machine.deployment.shape is None
    assert machine.instances == {}


@pytest.mark.parametrize("conduct", ["exit", "never"])
def test_a_failed_rollout_leaves_the_old_instances_untouched(conduct: str) -> None:
    machine = running()
    before = {number: msgspec.structs.replace(one, passed_at=None) for number, one in machine.instances.items()}
    machine.behaves = lambda version: conduct if version == "new" else "ok"
    machine.roll(NEW)
    machine.run(60)
    assert machine.outcome is Outcome.FAILED
    assert machine.deployment.shape == OLD
    after = {number: msgspec.structs.replace(one, passed_at=None) for number, one in machine.instances.items()}
    assert after == before
    assert min(machine.serving) >= 2


def test_a_second_instance_that_fails_brings_the_old_ones_back() -> None:
    machine = running()
    machine.roll(NEW)
    machine.run(2.75)
    assert machine.versions() == {"old", "new"}
    machine.behaves = lambda version: "exit" if version == "new" else "ok"
    machine.run(30)
    assert machine.outcome is Outcome.FAILED
    assert machine.versions() == {"old"}
    assert machine.capacity() == 2
    assert min(machine.serving) >= 1


def test_an_app_that_ignores_sigterm_is_killed_and_the_rollout_ends() -> None:
    machine = running()
    machine.behaves = lambda version: "stubborn"
    machine.roll(NEW)
    machine.run(40)
    assert machine.outcome is Outcome.SUCCESS
    assert "Kill" in machine.history


def test_scaling_up_keeps_the_running_instances() -> None:
    machine = running()
    kept = set(machine.instances)
    machine.roll(msgspec.structs.replace(OLD, instances=4), Kind.SCALE)
    machine.run(20)
    assert machine.outcome is Outcome.SUCCESS
    assert kept < set(machine.instances)
    assert machine.capacity() == 4


def test_scaling_up_is_not_undone_by_the_end_of_an_instance_that_ran_before() -> None:
    machine = running()
    machine.roll(msgspec.structs.replace(OLD, instances=4), Kind.SCALE)
    machine.run(1)
    machine.crash(1)
    machine.run(30)
    assert machine.outcome is Outcome.SUCCESS
    assert machine.capacity() == 4


def test_scaling_up_is_undone_by_a_new_instance_that_fails() -> None:
    machine = running()
    machine.roll(msgspec.structs.replace(OLD, instances=4), Kind.SCALE)
    machine.run(1)
    machine.crash(3)
    machine.run(30)
    assert machine.outcome is Outcome.FAILED
    assert machine.capacity() == 2


def test_scaling_down_retires_the_newest() -> None:
    machine = running(msgspec.structs.replace(OLD, instances=4))
    machine.roll(msgspec.structs.replace(OLD, instances=1), Kind.SCALE)
    machine.run(20)
    assert machine.outcome is Outcome.SUCCESS
    assert list(machine.instances) == [1]


def test_an_on_demand_deploy_is_validated_by_one_instance_and_sleeps_when_idle() -> None:
    machine = Machine(Deployment(app="shop"))
    machine.roll(msgspec.structs.replace(NEW, instances=0, idle_timeout=10))
    machine.run(5)
    assert machine.outcome is Outcome.SUCCESS
    assert machine.capacity() == 1
    machine.run(20)
    assert machine.instances == {}


def test_a_restart_replaces_instances_of_the_same_version() -> None:
    machine = running()
    before = set(machine.instances)
    machine.roll(OLD, Kind.RESTART, parallel=True, window=0.0)
    machine.run(10)
    assert machine.outcome is Outcome.SUCCESS
    assert not before & set(machine.instances)
    assert min(machine.serving) >= 2


def test_starting_a_stopped_deployment_that_fails_leaves_it_stopped() -> None:
    machine = running()
    machine.alter(stopped=True)
    machine.run(5)
    assert machine.instances == {}
    machine.behaves = lambda version: "exit"
    machine.roll(OLD, Kind.START, parallel=True, window=0.0)
    machine.run(20)
    assert machine.outcome is Outcome.FAILED
    assert machine.deployment.stopped
    assert machine.instances == {}


def test_a_cancelled_rollout_restores_and_says_so() -> None:
    machine = running()
    machine.roll(NEW)
    machine.run(4)
    rollout = machine.deployment.rollout
    assert rollout is not None
    assert rollout_plan.cancellable(rollout)
    machine.alter(
        rollout=msgspec.structs.replace(
            rollout, undoing=True, outcome=Outcome.CANCELLED, reason="cancelled", deadline=machine.now + 60
        )
    )
    machine.run(20)
    assert machine.outcome is Outcome.CANCELLED
    assert machine.versions() == {"old"}
    assert machine.capacity() == 2


def test_a_crash_loop_backs_off_and_never_gives_up() -> None:
    machine = running(msgspec.structs.replace(OLD, instances=1))
    machine.behaves = lambda version: "exit"
    [number] = machine.instances
    machine.instances[number] = machine.instances[number].__class__(
        app="shop", number=number, version="old", port=1, spawned_at=machine.now
    )
    machine.run(120)
    spawns = machine.history.count("Spawn")
    assert 5 <= spawns <= 9
    machine.behaves = lambda version: "ok"
    machine.run(70)
    assert machine.capacity() == 1


def test_an_old_instance_that_ends_is_replaced_while_the_new_version_does_not_come_up() -> None:
    machine = running()
    machine.behaves = lambda version: "never" if version == "new" else "ok"
    machine.roll(NEW)
    machine.run(1)
    machine.crash(1)
    assert machine.capacity() == 1
    machine.run(5)
    assert machine.capacity() == 2
    assert machine.versions() == {"old"}
    machine.run(60)
    assert machine.outcome is Outcome.FAILED
    assert machine.capacity() == 2


def test_a_sleeping_deployment_is_woken_also_while_a_new_version_does_not_come_up() -> None:
    machine = Machine(Deployment(app="shop", shape=msgspec.structs.replace(OLD, instances=0)))
    machine.behaves = lambda version: "never" if version == "new" else "ok"
    machine.roll(msgspec.structs.replace(NEW, instances=0))
    machine.run(2)
    assert machine.capacity() == 0
    machine.alter(vitals=Vitals(awake=True, active_at=machine.now))
    machine.run(1)
    assert machine.versions() == {"old"}


def test_an_instance_that_was_being_woken_when_a_rollout_began_gets_traffic() -> None:
    machine = Machine(Deployment(app="shop", shape=msgspec.structs.replace(OLD, instances=0)))
    machine.alter(vitals=Vitals(awake=True, active_at=machine.now))
    machine.settle()
    machine.behaves = lambda version: "never" if version == "new" else "ok"
    machine.roll(msgspec.structs.replace(NEW, instances=0))
    machine.run(1)
    assert machine.versions() == {"old"}


def test_undoing_to_a_version_that_cannot_start_any_more_takes_its_time() -> None:
    machine = running()
    machine.roll(NEW)
    machine.run(2.75)
    assert machine.versions() == {"old", "new"}
    machine.behaves = lambda version: "exit"
    machine.history.clear()
    machine.run(30)
    assert machine.history.count("Spawn") <= 8


def test_the_end_of_an_old_instance_does_not_undo_a_rollout() -> None:
    machine = running()
    machine.roll(NEW)
    machine.run(1)
    machine.crash(2)
    machine.run(30)
    assert machine.outcome is Outcome.SUCCESS
    assert machine.versions() == {"new"}


def test_an_instance_that_answers_once_and_then_hangs_gets_no_traffic() -> None:
    machine = running()
    machine.behaves = lambda version: "hangs" if version == "new" else "ok"
    machine.roll(NEW)
    machine.run(20)
    assert machine.versions() == {"old"}


def test_a_failed_probe_begins_the_stability_window_anew() -> None:
    machine = running()
    machine.roll(NEW)
    machine.run(1)
    [one] = [one for one in machine.instances.values() if one.version == "new"]
    machine.instances[one.number] = health.after_failure(one, "no answer")
    machine.run(2)
    assert machine.versions() == {"old"}
    machine.run(0.5)
    assert machine.versions() == {"old", "new"}


def test_a_crash_loop_beside_a_healthy_instance_backs_off() -> None:
    machine = running()
    machine.run(70)
    machine.crash(1)
    for _ in range(6):
        machine.run(20)
        for one in [one for one in machine.instances.values() if one.number > 2 and not one.gone]:
            machine.crash(one.number)
    assert machine.deployment.vitals.crashes >= 3
    assert machine.deployment.vitals.reason


def test_instances_that_end_together_are_one_misfortune() -> None:
    machine = running()
    machine.crash(1)
    machine.crash(2)
    assert machine.deployment.vitals.crashes == 1
    assert machine.deployment.vitals.next_start_at == machine.now + 1
    machine.run(3)
    assert machine.capacity() == 2


@settings(max_examples=60, deadline=None)
@given(
    before=st.integers(0, 3),
    after=st.integers(0, 3),
    conduct=st.sampled_from(["ok", "exit", "never", "stubborn"]),
    parallel=st.booleans(),
    same=st.booleans(),
)
def test_every_rollout_ends_with_one_shape_in_force(
    before: int, after: int, conduct: str, parallel: bool, same: bool
) -> None:
    machine = running(msgspec.structs.replace(OLD, instances=before))
    version = "old" if same else "new"
    machine.behaves = lambda seen: conduct if seen == "new" else "ok"
    machine.roll(msgspec.structs.replace(NEW, version=version, instances=after, idle_timeout=300), parallel=parallel)
    machine.run(130)
    assert machine.outcome in (Outcome.SUCCESS, Outcome.FAILED)
    assert machine.outcome is (Outcome.SUCCESS if same or conduct in ("ok", "stubborn") else Outcome.FAILED)
    shape = machine.deployment.shape
    assert shape is not None
    assert {one.version for one in machine.instances.values()} <= {shape.version}
    assert machine.capacity() == (shape.instances or len(machine.instances))
    assert min(machine.serving) >= 1


def test_planning_again_changes_nothing() -> None:
    machine = running()
    machine.roll(NEW)
    machine.run(1)
    first = rollout_plan.steps(machine.view())
    assert first == rollout_plan.steps(machine.view())
    assert not any(isinstance(step, steps.Finish) for step in first)
