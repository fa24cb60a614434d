"""What is planned when a server shall be the machine again that it was."""

from dataclasses import replace

from tako_modules.protocol.setup import RemoveRequest
from tako_modules.server.setup import layout, steps
from tako_modules.server.setup.facts import Account, Entry, Machine
from tako_modules.server.setup.plan import install
from tako_modules.server.setup.remove import remove

from .machines import PROGRAM, REQUEST, after, bare

PLAIN = RemoveRequest(apply=True)
DELETE = RemoveRequest(apply=True, delete_apps=True)
PURGE = RemoveRequest(apply=True, delete_apps=True, purge=True)
STAMP = "20261121T101509Z"
APP = Account("shop", "/opt/tako/apps/shop/shared/data", "/usr/sbin/nologin", ("tako-0123abcd",))


def installed(machine: Machine) -> Machine:
    return after(machine, install(machine, REQUEST, PROGRAM).steps)


def with_app(machine: Machine) -> Machine:
    return replace(machine, apps={"shop": 2048}, accounts={**machine.accounts, "tako-0123abcd": APP})


def test_adding_and_removing_leaves_the_machine_as_it_was() -> None:
    server = installed(bare())
    gone = after(server, remove(server, PLAIN, STAMP).steps)
    assert replace(gone, groups=bare().groups) == bare()
    assert gone.groups - bare().groups <= {"tako-proxy"}  # userdel takes a user's own group


def test_shared_folders_that_were_made_go_too() -> None:
    lacking = replace(bare(), entries={"/opt": Entry("folder"), "/usr/local/bin": Entry("folder")})
    server = installed(lacking)
    assert after(server, remove(server, PLAIN, STAMP).steps).entries == lacking.entries


def test_a_second_removal_has_nothing_to_do() -> None:
    server = installed(bare())
    gone = after(server, remove(server, PLAIN, STAMP).steps)
    assert remove(gone, PLAIN, STAMP).steps == ()


def test_every_killed_removal_is_completed_by_the_next() -> None:
    server = installed(bare())
    plan = remove(server, PLAIN, STAMP).steps
    for count in range(len(plan)):
        half = after(server, plan[:count])
        assert after(half, remove(half, PLAIN, STAMP).steps).entries == bare().entries, count


def test_apps_forbid_it() -> None:
    plan = remove(with_app(installed(bare())), PLAIN, STAMP)
    assert plan.steps == ()
    assert "shop" in plan.problems[0].message
    assert "--delete-apps" in plan.problems[0].hint


def test_data_goes_to_the_trash_with_its_size() -> None:
    plan = remove(with_app(installed(bare())), DELETE, STAMP)
    assert steps.KeepData("shop", 2048, STAMP) in plan.steps
    assert steps.DropUser("tako-0123abcd") in plan.steps
    assert steps.DropTree(layout.DATA) in plan.steps
    kept = [step.text for step in plan.steps if isinstance(step, steps.KeepData)]
    assert kept == ["move the data of shop (2.00 KB) to /opt/tako-trash/shop-20261121T101509Z"]


def test_purging_takes_the_trash_too() -> None:
    server = replace(
        with_app(installed(bare())),
        trash=100,
        entries={**installed(bare()).entries, str(layout.TRASH): Entry("folder", 0o700)},
    )
    plan = remove(server, PURGE, STAMP)
    assert steps.DropTree(layout.TRASH, 100) in plan.steps
    assert steps.DropTree(layout.DATA, 2048) in plan.steps
    assert after(server, plan.steps).entries == bare().entries


def test_older_trash_is_kept_and_named() -> None:
    server = replace(installed(bare()), trash=100)
    (note,) = remove(server, PLAIN, STAMP).notes
    assert "/opt/tako-trash (100 bytes) stays" in note
    assert "`rm -r /opt/tako-trash`" in note
    assert "--purge" not in note  # nobody knows the server any more when this is read


def test_new_trash_is_named_with_the_older_one() -> None:
    server = replace(with_app(installed(bare())), trash=1024)
    assert "/opt/tako-trash (3.00 KB) stays" in remove(server, DELETE, STAMP).notes[0]
    assert remove(server, PURGE, STAMP).notes == ()


def words_of(server: Machine, request: RemoveRequest = PLAIN) -> str:
    """Give the plan as a person reads it."""
    return "\n".join(step.text for step in remove(server, request, STAMP).steps)


def test_what_people_put_there_is_named_before_it_goes() -> None:
    server = replace(with_app(installed(bare())), certificates=("a.example", "b.example"), home=("notes", ".bashrc"))
    words = words_of(server, PURGE)
    assert (
        "remove the folder /opt/tako with 2.00 KB of apps' data and the certificates of a.example, b.example" in words
    )
    assert "remove the folder /home/tako with notes, .bashrc" in words


def test_of_many_names_only_some_are_listed() -> None:
    server = replace(installed(bare()), certificates=tuple(f"{letter}.example" for letter in "abcdefg"))
    assert "the certificates of a.example, b.example, c.example, d.example, e.example and 2 more" in words_of(server)


def test_nothing_of_people_is_no_word() -> None:
    words = words_of(installed(bare())).splitlines()
    assert {"remove the folder /opt/tako", "remove the folder /home/tako"} <= set(words)


def test_the_service_stops_first_and_the_receipt_goes_last() -> None:
    plan = remove(installed(bare()), PLAIN, STAMP).steps
    assert isinstance(plan[0], steps.StopUnit)
    assert plan[-1] == steps.DropTree(layout.DATA)


def test_a_failed_service_is_stopped_too() -> None:
    server = replace(installed(bare()), is_active=False, is_failed=True)
    assert isinstance(remove(server, PLAIN, STAMP).steps[0], steps.StopUnit)


def test_users_of_others_stay() -> None:
    server = installed(bare())
    others = {"tako-deadbeef": Account("", "/srv/x", "/bin/sh"), "tako": Account("Bob", "/srv/bob", "/bin/sh")}
    gone = {
        step.name
        for step in remove(replace(server, accounts=others), PLAIN, STAMP).steps
        if isinstance(step, steps.DropUser)
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
    plan = remove(server, PLAIN, STAMP)
    (written,) = [step for step in plan.steps if isinstance(step, steps.WriteFile)]
    assert written.content == "ssh-rsa AAAAB3 me\n"
    assert str(layout.HOME) in after(server, plan.steps).entries
