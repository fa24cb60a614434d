"""The stages of a deploy, as they are printed and followed."""

import msgspec
import pytest

from tako_modules.plan.delivery import Delivery, Phase, stages

PLAIN = Delivery(release="", installs=False, instances=1, idle_timeout=300, routes=("shop.example.com",))


@pytest.mark.parametrize(
    ("change", "phases"),
    [
        ({}, "preflight upload prepare rollout"),
        ({"release": "bin/migrate"}, "preflight upload prepare release rollout"),
        ({"installs": True}, "preflight upload prepare rollout"),
    ],
    ids=["plain", "release command", "dependencies"],
)
def test_stages_come_in_order(change: dict[str, object], phases: str) -> None:
    found = stages(msgspec.structs.replace(PLAIN, **change))
    assert [phase.value for phase, _ in found] == phases.split()


@pytest.mark.parametrize(
    ("change", "phase", "words"),
    [
        ({}, Phase.PREPARE, "unpack"),
        ({"installs": True}, Phase.PREPARE, "unpack, install dependencies"),
        ({"release": "bin/migrate"}, Phase.RELEASE, "`bin/migrate`"),
        ({"instances": 1}, Phase.ROLLOUT, ": 1 instance, for shop.example.com"),
        ({"instances": 3}, Phase.ROLLOUT, ": 3 instances, for"),
        ({"instances": 0}, Phase.ROLLOUT, "on demand, asleep after 300 s"),
        ({"routes": ("a.test", "b.test")}, Phase.ROLLOUT, "for a.test, b.test"),
    ],
    ids=["no dependencies", "dependencies", "release command", "one", "three", "on demand", "routes"],
)
def test_a_stage_has_words(change: dict[str, object], phase: Phase, words: str) -> None:
    assert words in dict(stages(msgspec.structs.replace(PLAIN, **change)))[phase]
