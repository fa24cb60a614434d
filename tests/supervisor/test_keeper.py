"""The decision table of health, from the outside: answers in, facts out, with a clock that jumps."""

from collections.abc import Awaitable, Callable, Iterable

import pytest

from tako_modules.base.errors import TakoError
from tako_modules.supervisor.keeper import ProbeFact, ProbeFailed, ProbePassed, Watched, keep
from tako_modules.supervisor.ports import Ownership
from tako_modules.supervisor.verdict import Seen

from .swift import ScriptedProbes, SwiftClock

Answer = Callable[[str, str, float], Seen]
HOST = "shop.example.com"
OWN = Ownership(ok=True)


def seen(host: str, path: str, status: int = 0, body: str = "", error: str = "") -> Seen:
    return Seen(url=f"http://127.0.0.1:20011{path}", host=host, status=status, body=body, error=error)


def sdk(host: str, path: str, state: str = "healthy", number: int = 7) -> Seen:
    return seen(host, path, 200, f'{{"status": "{state}", "instance_id": {number}, "app": "app"}}')


def owner(*found: Ownership | TakoError) -> Callable[[], Awaitable[Ownership]]:
    """Look like this, one look after the other; the last one stays."""
    left = list(found)

    async def look() -> Ownership:
        now = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(now, TakoError):
            raise now
        return now

    return look


async def watch(
    answer: Answer,
    *,
    path: str = "",
    seconds: float = 5.0,
    healthy: bool = False,
    owns: Callable[[], Awaitable[Ownership]] | None = None,
    trouble: Iterable[bool] = (),
) -> tuple[list[tuple[float, ProbeFact]], ScriptedProbes]:
    """Keep an eye on such an app for a while: the facts with their time, and what was asked."""
    clock = SwiftClock(seconds)
    probes = ScriptedProbes(clock, answer)
    facts: list[tuple[float, ProbeFact]] = []
    watched = Watched(instance="shop/7", number=7, port=20011, host=HOST, path=path, healthy=healthy)

    def report(fact: ProbeFact) -> None:
        facts.append((round(clock.time - 1000.0, 3), fact))

    with clock.scope:
        told = iter(trouble)
        await keep(watched, report, clock, owns or owner(OWN), probes, troubled=lambda: next(told, False))
    return facts, probes


def steady(status: int) -> Answer:
    return lambda host, path, _: seen(host, path, status)


@pytest.mark.parametrize(
    ("status", "with_path", "without"),
    [
        (200, True, True),
        (204, True, True),
        (301, True, True),
        (308, True, True),
        (400, False, True),
        (403, False, True),
        (404, False, True),
        (405, False, True),
        (421, False, True),
        (500, False, False),
        (503, False, False),
        (0, False, False),
    ],
    ids=str,
)
async def test_which_answers_are_ready(status: int, with_path: bool, without: bool) -> None:
    asked, _ = await watch(steady(status), path="/up", seconds=1)
    free, _ = await watch(steady(status), seconds=1)
    assert isinstance(asked[0][1], ProbePassed) is with_path
    assert isinstance(free[0][1], ProbePassed) is without


async def test_with_a_path_nothing_else_is_asked() -> None:
    _, probes = await watch(steady(200), path="/up?deep=1", seconds=3)
    assert set(probes.asked) == {f"{HOST}/up?deep=1"}


async def test_without_a_path_the_sdk_is_looked_for_then_the_page_then_connections() -> None:
    facts, probes = await watch(steady(404), seconds=2)
    assert probes.asked[:4] == ["tako.internal/status", "tako.internal/_tako/status", f"{HOST}/", "connect"]
    assert set(probes.asked[3:]) == {"connect"}
    assert facts == [(at, ProbePassed(instance="shop/7")) for at in (0.0, 0.0, 1.0, 2.0)]


@pytest.mark.parametrize("where", ["/status", "/_tako/status"])
async def test_an_sdk_speaks_for_itself(where: str) -> None:
    def answer(host: str, path: str, at: float) -> Seen:
        if (host, path) != ("tako.internal", where):
            return seen(host, path, 404)
        return sdk(host, path, "starting" if at < 0.25 else "healthy")

    facts, probes = await watch(answer, seconds=3)
    assert [type(fact) for _, fact in facts[:2]] == [ProbeFailed, ProbePassed]
    assert {type(fact) for _, fact in facts[2:]} == {ProbePassed}
    assert facts[1] == (0.3, ProbePassed(instance="shop/7", sdk=True))
    assert f"{HOST}/" not in probes.asked
    assert probes.asked[-1] == f"tako.internal{where}"


@pytest.mark.parametrize(
    "body",
    ['{"status": "healthy", "instance_id": 8}', '{"status": "healthy"}', '{"instance_id": 7}', "ok", "[]", ""],
    ids=["another instance", "no id", "no status", "text", "a list", "nothing"],
)
async def test_what_is_no_sdk_is_judged_by_its_page(body: str) -> None:
    def answer(host: str, path: str, _: float) -> Seen:
        return seen(host, path, 200, body)

    facts, _ = await watch(answer, seconds=1)
    assert facts == [(at, ProbePassed(instance="shop/7", sdk=False)) for at in (0.0, 0.0, 1.0)]


async def test_while_starting_it_looks_ten_times_a_second_and_says_why_once_a_second() -> None:
    facts, probes = await watch(lambda h, p, at: seen(h, p, 503 if at < 2.45 else 200), path="/up", seconds=3)
    failures = [at for at, fact in facts if isinstance(fact, ProbeFailed)]
    assert failures == [0.0, 1.0, 2.0]
    assert [at for at, fact in facts if isinstance(fact, ProbePassed)] == [2.5, 2.5]
    assert len(probes.asked) == 26 + 1


async def test_a_new_reason_is_told_at_once() -> None:
    def answer(host: str, path: str, at: float) -> Seen:
        return seen(host, path, error="connection refused") if at < 0.35 else seen(host, path, 502, body="b" * 900)

    facts, _ = await watch(answer, path="/up", seconds=0.6)
    told = [(at, fact.failure) for at, fact in facts if isinstance(fact, ProbeFailed)]
    assert [at for at, _ in told] == [0.0, 0.4]
    assert told[0][1].detail == "GET http://127.0.0.1:20011/up (Host shop.example.com): connection refused"
    assert told[1][1].status == 502
    assert told[1][1].body == "b" * 200


async def test_afterwards_every_failure_is_told_and_a_pass_when_it_is_news() -> None:
    facts, _ = await watch(lambda h, p, at: seen(h, p, 500 if 3.5 < at < 6.5 else 200), path="/up", seconds=30)
    passed = [at for at, fact in facts if isinstance(fact, ProbePassed)]
    failed = [at for at, fact in facts if isinstance(fact, ProbeFailed)]
    assert failed == [4.0, 5.0, 6.0]
    assert passed == [0.0, 0.0, 1.0, 2.0, 7.0, 8.0, 9.0, 19.0, 29.0], (
        "as long as a rollout may wait for it, then rarely"
    )


async def test_one_that_was_well_before_is_recognised_and_told_at_once() -> None:
    facts, probes = await watch(lambda h, p, _: sdk(h, p), healthy=True, seconds=2)
    assert facts[0] == (0.0, ProbePassed(instance="shop/7", sdk=True))
    assert set(probes.asked) == {"tako.internal/status"}


async def test_a_port_that_another_holds_is_final() -> None:
    facts, _ = await watch(steady(200), owns=owner(Ownership(ok=False, held="port 20011 is held by uid 1")), seconds=5)
    assert len(facts) == 2
    last = facts[-1][1]
    assert isinstance(last, ProbeFailed)
    assert last.final
    assert last.failure.detail == "port 20011 is held by uid 1"


async def test_a_listener_that_is_being_replaced_is_not_final() -> None:
    looks = owner(Ownership(ok=False, held="port 20011 is held by uid 1"), OWN)
    facts, _ = await watch(steady(200), owns=looks, seconds=5)
    assert [type(fact) for _, fact in facts[:2]] == [ProbeFailed, ProbePassed]
    assert {type(fact) for _, fact in facts[2:]} == {ProbePassed}


async def test_a_look_that_fails_is_repeated() -> None:
    facts, _ = await watch(steady(200), owns=owner(TakoError("no process to look with"), OWN), seconds=5)
    first = facts[0][1]
    assert isinstance(first, ProbeFailed)
    assert first.failure.detail == "no process to look with"
    assert isinstance(facts[1][1], ProbePassed)


async def test_a_listener_for_the_world_is_a_warning() -> None:
    facts, _ = await watch(steady(200), owns=owner(Ownership(ok=True, wildcard=True)), seconds=1)
    first = facts[0][1]
    assert isinstance(first, ProbePassed)
    assert "all addresses" in first.warning


async def test_an_app_on_the_wrong_port_is_told_so_after_two_seconds() -> None:
    looks = owner(Ownership(ok=False, elsewhere=("127.0.0.1:3000",)))
    facts, _ = await watch(lambda h, p, _: seen(h, p, error="connection refused"), owns=looks, seconds=3)
    told = [(at, fact.failure.detail) for at, fact in facts if isinstance(fact, ProbeFailed)]
    assert "3000" not in told[0][1]
    when, words = next((at, text) for at, text in told if "3000" in text)
    assert when == pytest.approx(2.0, abs=0.11)
    assert words.endswith("connection refused; listens on 127.0.0.1:3000 instead of $PORT 20011")


async def test_after_requests_have_failed_it_must_answer_not_only_accept() -> None:
    def answer(host: str, path: str, at: float) -> Seen:
        if 1.5 < at < 4.5:
            return seen(host, path, error="no answer within 2 s")
        return seen(host, path, 500 if at else 200)

    facts, probes = await watch(answer, seconds=7, trouble=[False, False, True])
    assert [at for at, fact in facts if isinstance(fact, ProbeFailed)] == [2.0, 3.0, 4.0]
    back = next(at for at, fact in facts if isinstance(fact, ProbePassed) and at > 2.0)
    assert back == 5.0, "an answer of any status ends the doubt"
    assert probes.asked[-2:] == ["connect", "connect"]


async def test_one_request_that_failed_costs_an_app_that_answers_nothing() -> None:
    facts, _ = await watch(steady(200), seconds=6, trouble=[False, True])
    assert [fact for _, fact in facts if isinstance(fact, ProbeFailed)] == []
