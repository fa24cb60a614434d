"""What is planned for a machine that shall be a server."""

from dataclasses import replace

import pytest

from tako_modules.server.setup import layout, steps
from tako_modules.server.setup.facts import Account, Entry, Holder, Machine, Program
from tako_modules.server.setup.plan import Plan, install

from .machines import KEY, PROGRAM, REQUEST, after, bare


def kinds(plan: Plan) -> list[str]:
    return [type(step).__name__ for step in plan.steps]


def installed(machine: Machine | None = None) -> Machine:
    start = machine or bare()
    return after(start, install(start, REQUEST, PROGRAM).steps)


def test_a_bare_machine_gets_everything() -> None:
    plan = install(bare(), REQUEST, PROGRAM)
    assert not plan.problems
    paths = {str(step.path) for step in plan.steps if isinstance(step, steps.WriteFile | steps.CopyArchive)}
    assert paths == {
        "/opt/tako/bin/b1/tako.pyz",
        "/opt/tako/bin/installed.json",
        "/opt/tako/bin/tako.nft",
        "/usr/local/bin/tako",
        "/etc/tmpfiles.d/tako.conf",
        "/etc/systemd/system/tako.service",
        "/home/tako/.ssh/authorized_keys",
    }
    users = {step.name: step.shell for step in plan.steps if isinstance(step, steps.MakeUser)}
    assert users == {"tako": "/bin/sh", "tako-proxy": "/usr/sbin/nologin"}
    assert kinds(plan)[-4:] == ["ApplyTmpfiles", "ReloadUnits", "EnableUnit", "StartUnit"]


def test_a_second_run_changes_nothing() -> None:
    assert install(installed(), REQUEST, PROGRAM).steps == ()


def test_every_killed_run_is_completed_by_the_next() -> None:
    """Wherever the first run ends, the second one brings the same machine, and the same receipt."""
    plan = install(bare(), REQUEST, PROGRAM).steps
    whole = after(bare(), plan)
    for count in range(len(plan)):
        half = after(bare(), plan[:count])
        again = after(half, install(half, REQUEST, PROGRAM).steps)
        assert again.entries.keys() == whole.entries.keys(), count
        assert again.receipt is not None
        assert whole.receipt is not None
        assert set(again.receipt.paths) == set(whole.receipt.paths)
        assert set(again.receipt.users) == set(whole.receipt.users)


def test_the_receipt_is_written_before_what_it_names() -> None:
    plan = install(bare(), REQUEST, PROGRAM).steps
    first = next(step for step in plan if not isinstance(step, steps.MakeFolder))
    assert isinstance(first, steps.WriteFile)
    assert first.path == layout.RECEIPT


def test_the_receipt_names_only_what_was_not_there() -> None:
    lacking = replace(bare(), entries={"/opt": Entry("folder"), "/usr/local/bin": Entry("folder")})
    receipt = installed(lacking).receipt
    assert receipt is not None
    assert {"/home", "/etc/tmpfiles.d", "/etc/.pwd.lock"} <= set(receipt.paths)
    assert "/opt" not in receipt.paths
    assert receipt.users == ("tako", "tako-proxy")
    assert receipt.groups == ("tako",)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        pytest.param(replace(installed(), is_active=False), ["StartUnit"], id="stopped"),
        pytest.param(replace(installed(), is_enabled=False), ["EnableUnit"], id="disabled"),
        pytest.param(replace(installed(), is_stale=True), ["ReloadUnits"], id="unit file not read yet"),
        pytest.param(replace(installed(), is_nft_loaded=False), ["LoadNft"], id="table flushed"),
        pytest.param(replace(installed(), keys=()), ["WriteFile"], id="key gone"),
    ],
)
def test_only_what_is_missing(machine: Machine, expected: list[str]) -> None:
    assert kinds(install(machine, REQUEST, PROGRAM)) == expected


@pytest.mark.parametrize(
    ("path", "entry", "expected"),
    [
        pytest.param("/opt/tako", Entry("folder", 0o777), ["SetAccess"], id="open to all"),
        pytest.param("/usr/local/bin/tako", Entry("file", detail="?"), ["WriteFile"], id="another launcher"),
        pytest.param(
            "/etc/systemd/system/tako.service",
            Entry("file", 0o644, detail="?"),
            ["WriteFile", "ReloadUnits", "StartUnit"],
            id="another unit",
        ),
        pytest.param("/opt/tako/bin/b1/tako.pyz", Entry("file", detail="?"), ["CopyArchive"], id="damaged program"),
    ],
)
def test_what_differs_is_put_right(path: str, entry: Entry, expected: list[str]) -> None:
    machine = installed()
    assert kinds(install(replace(machine, entries={**machine.entries, path: entry}), REQUEST, PROGRAM)) == expected


def test_a_key_is_appended_never_overwritten() -> None:
    mine = "ssh-rsa AAAAB3 somebody@else"
    machine = installed()
    plan = install(replace(machine, keys=(mine,)), REQUEST, PROGRAM)
    (step,) = plan.steps
    assert isinstance(step, steps.WriteFile)
    assert step.content == f'{mine}\nrestrict,command="/usr/local/bin/tako __socket__" {KEY}\n'


def test_a_key_is_known_by_itself_not_by_its_comment() -> None:
    machine = replace(installed(), keys=(f"restrict {KEY} me@laptop",))
    assert install(machine, REQUEST, PROGRAM).steps == ()


@pytest.mark.parametrize(
    ("machine", "message", "hint"),
    [
        pytest.param(replace(bare(), is_systemd=False), "does not run systemd", "Debian", id="no systemd"),
        pytest.param(
            replace(bare(), holders={80: Holder(7, "nginx", "nginx.service")}),
            "port 80 is taken by nginx (pid 7, nginx.service)",
            "systemctl disable --now nginx.service",
            id="a service on port 80",
        ),
        pytest.param(
            replace(bare(), holders={443: Holder(7, "python3")}),
            "port 443 is taken by python3 (pid 7)",
            "kill 7",
            id="a program on port 443",
        ),
        pytest.param(
            replace(bare(), holders={80: Holder(1, "systemd")}), "systemd (pid 1)", "list-sockets", id="a socket unit"
        ),
        pytest.param(
            replace(bare(), strangers=("apps", "old")),
            "/opt/tako already, made by somebody else (apps, old)",
            "mv /opt/tako",
            id="somebody else's folder",
        ),
        pytest.param(
            replace(bare(), accounts={"tako": Account("Bob", "/srv/bob", "/bin/bash")}),
            "there is a user tako already",
            "usermod --login",
            id="somebody else's user",
        ),
    ],
)
def test_what_forbids_it_is_named(machine: Machine, message: str, hint: str) -> None:
    plan = install(machine, REQUEST, PROGRAM)
    assert plan.steps == ()
    (problem,) = plan.problems
    assert message in problem.message
    assert hint in problem.hint


def test_our_own_listeners_are_no_problem() -> None:
    machine = replace(installed(), holders={80: Holder(5, "python3", "tako.service")})
    assert install(machine, REQUEST, PROGRAM) == Plan(build="b1")


def test_another_build_that_runs_is_left_alone() -> None:
    newer = Program(build="b2", archive="/tmp/x", digest="d2", runtime="b2-x")
    plan = install(replace(installed(), keys=()), REQUEST, newer)
    assert kinds(plan) == ["WriteFile"]
    assert plan.build == "b1"
    assert "build b1" in plan.notes[0]


def test_without_nft_it_says_so() -> None:
    plan = install(replace(bare(), nft=""), REQUEST, PROGRAM)
    assert "nft is not installed" in plan.notes[0]


def test_the_unit_starts_what_was_installed() -> None:
    unit = layout.texts("/usr/bin/python3", "/usr/sbin/nft")[layout.UNIT][0]
    assert (
        "\nExecStart=/usr/bin/python3 -IS /opt/tako/bin/current/tako.pyz serve"
        " --data-dir /opt/tako --socket /run/tako/tako.sock\n"
    ) in unit
    assert "\nEnvironment=TAKO_CACHE=/opt/tako/bin/current/.tako-runtime " in unit


def test_a_user_of_a_lost_installation_is_taken_over() -> None:
    """Its comment says that it is ours, though nothing else is left."""
    machine = replace(bare(), accounts=installed().accounts, groups=frozenset({"tako", "tako-proxy"}))
    plan = install(machine, REQUEST, PROGRAM)
    assert not plan.problems
    assert "MakeUser" not in kinds(plan)


def test_steps_tell_paths_users_units_and_ports() -> None:
    text = "\n".join(step.text for step in install(bare(), REQUEST, PROGRAM).steps)
    for word in ("/opt/tako/bin/current", "user tako-proxy", "tako.service", "ports 80 and 443", "root:tako 0640"):
        assert word in text
