"""The examples of the documentation, deployed by the built file to the built-in server, as the README does it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.documents import checked
from tests.kit.local import Local

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
PAGES = {"hello": "Hello from hello", "asgi": "Hello from visits", "site": "<h1>A static site</h1>"}


@pytest.fixture(scope="module")
def person(tako_pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """Somebody who has the file and nothing else; the built-in server is started by the first verb that needs it."""
    made = Local(tako_pyz, tmp_path_factory.mktemp("person"), 0, 0)
    shutil.copytree(EXAMPLES, made.root / "examples", ignore=shutil.ignore_patterns(".tako"))
    yield made
    done = made.tako("servers", "uninstall", "local", "--delete-apps", "--purge", "--yes", "--json")
    assert done.code == 0, done.err
    assert checked(done.out)["schema"] == "tako.servers.uninstall/1"


def told(person: Local, verb: str, example: str = "hello", code: int = 0) -> dict[str, object]:
    """Run a verb for an example, and give the document that it prints."""
    done = person.tako(*verb.split(), "-c", f"examples/{example}/tako.toml", "--yes", "--json")
    assert done.code == code, done.err
    return checked(done.out)


@pytest.mark.parametrize("example", PAGES)
def test_an_example_answers_at_the_address_that_was_printed(example: str, person: Local) -> None:
    done = person.tako("deploy", "-c", f"examples/{example}/tako.toml", "--yes")
    assert done.code == 0, done.err
    address = done.out.splitlines()[-1].strip()
    assert address.startswith("https://")
    assert PAGES[example] in person.curl(address, "-f").out


def test_every_verb_prints_the_document_that_its_schema_tells(person: Local) -> None:
    verbs = ("deploy", "status", "logs", "releases", "restart", "scale 2", "stop", "start", "delete")
    assert [told(person, verb)["schema"] for verb in verbs] == [f"tako.{verb.split()[0]}/1" for verb in verbs]
    assert told(person, "status", code=1)["schema"] == "tako.status/1"
    assert told(person, "scale many", code=2)["schema"] == "tako.error/1"


def test_the_verbs_of_servers_print_theirs_too(person: Local) -> None:
    for verb in ("ls", "status", "restart local"):
        done = person.tako("servers", *verb.split(), "--yes", "--json")
        assert done.code == 0, done.err
        assert checked(done.out)["schema"] == f"tako.servers.{verb.split()[0]}/1"
