"""What is planned when a server shall be the machine again that it was."""

from dataclasses import replace

from tako_modules.protocol.setup import RemoveRequest
from tako_modules.server.setup import layout, steps
from tako_modules.server.setup.facts import Account, Entry, Machine
from tako_modules.server.setup.plan import install
from tako_modules.server.setup.remove import remove

from .machines import PROGRAM, REQUEST, after, bare

PLAIN = RemoveRequest(apply=True)
PURGE = RemoveRequest(apply=True, delete_apps=True, purge=True)
APP = Account("shop", "/opt/tako/apps/shop/shared/data", "/usr/sbin/nologin", ("tako-0123abcd",))


def installed(machine: Machine) -> Machine:
    return after(machine, install(machine, REQUEST, PROGRAM).steps)


def with_app(machine: Machine) -> Machine:
    return replace(machine, apps={"shop": 2048}, accounts={**machine.accounts, "tako-0123abcd": APP})


def test_adding_and_removing_leaves_the_machine_as_it_was() -> None:
    server = installed(bare())
    gone = after(server, remove(server, PLAIN).steps)
    assert replace(gone, groups=bare().groups) == bare()
    assert gone.groups - bare().groups <= {"tako-proxy"}  # userdel takes a user's own group


def test_shared_folders_that_were_made_go_too() -> None:
    lacking = replace(bare(), entries={"/opt": Entry("folder"), "/usr/local/bin": Entry("folder")})
    server = installed(lacking)
    assert after(server, remove(server, PLAIN).steps).entries == lacking.entries


def test_a_second_removal_has_nothing_to_do() -> None:
    server = installed(bare())
    gone = after(server, remove(server, PLAIN).steps)
    assert remove(gone, PLAIN).steps == ()


def test_every_killed_removal_is_completed_by_the_next() -> None:
    server = installed(bare())
    plan = remove(server, PLAIN).steps
    for count in range(len(plan)):
        half = after(server, plan[:count])
        assert after(half, remove(half, PLAIN).steps).entries == bare().entries, count


def test_apps_forbid_it() -> None:
    plan = remove(with_app(installed(bare())), PLAIN)
    assert plan.steps == ()
    assert "shop" in plan.problems[0].message
    assert "--delete-apps" in plan.problems[0].hint


def test_data_goes_to_the_trash_with_its_size() -> None:
    plan = remove(with_app(installed(bare())), RemoveRequest(apply=True, delete_apps=True))
    assert steps.KeepData("shop", 2048) in plan.steps
    assert steps.DropUser("tako-0123abcd") in plan.steps
    assert steps.DropTree(layout.DATA) in plan.steps
    kept = [step.text for step in plan.steps if isinstance(step, steps.KeepData)]
    assert kept == ["move the data of shop (2.00 KB) to /opt/tako-trash/shop-<time>"]


def test_purging_takes_the_trash_too() -> None:
    server = replace(
        with_app(installed(bare())),
        trash=100,
        entries={**installed(bare()).entries, str(layout.TRASH): Entry("folder", 0o700)},
    )
    plan = remove(server, PURGE)
    assert steps.DropTree(layout.TRASH, 100) in plan.steps
    assert steps.DropTree(layout.DATA, 2048) in plan.steps
    assert after(server, plan.steps).entries == bare().entries


def test_older_trash_is_kept_and_named() -> None:
    server = replace(installed(bare()), trash=100)
    assert "/opt/tako-trash is kept" in remove(server, PLAIN).notes[0]


def test_the_service_stops_first_and_the_receipt_goes_last() -> None:
    plan = remove(installed(bare()), PLAIN).steps
    assert isinstance(plan[0], steps.StopUnit)
    assert plan[-1] == steps.DropTree(layout.DATA)


def test_a_failed_service_is_stopped_too() -> None:
    server = replace(installed(bare()), is_active=False, is_failed=True)
    assert isinstance(remove(server, PLAIN).steps[0], steps.StopUnit)


def test_users_of_others_stay() -> None:
    server = installed(bare())
    others = {"tako-deadbeef": Account("", "/srv/x", "/bin/sh"), "tako": Account("Bob", "/srv/bob", "/bin/sh")}
    gone = {
        step.name for step in remove(replace(server, accounts=others), PLAIN).steps if isinstance(step, steps.DropUser)
    }
    assert gone == set()


def test_of_a_home_that_was_there_only_our_key_goes() -> None:
    home = {
        str(layout.HOME): Entry("folder"),
        str(layout.KEYS.parent): Entry("folder"),
        str(layout.KEYS): Entry("file"),
    }
    before = replace(bare(), entries={**bare().entries, **home}, keys=("ssh-rsa AAAAB3 me",))
    server = installed(before)
    plan = remove(server, PLAIN)
    (written,) = [step for step in plan.steps if isinstance(step, steps.WriteFile)]
    assert written.content == "ssh-rsa AAAAB3 me\n"
    assert str(layout.HOME) in after(server, plan.steps).entries
