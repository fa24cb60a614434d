"""The makers of the references, and what documents promise of themselves: links, examples, commands."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tako_modules.base import errors
from tako_modules.build.source import FIXED
from tako_modules.config.read import read_project
from tako_modules.protocol import messages
from tako_modules.runtimes import catalog
from tako_modules.workspace.project import open_project

from . import bounds, codes, pages, protocol, verbs, words

ROOT = pages.ROOT
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
WRITTEN = [path for path in DOCUMENTS if path.relative_to(ROOT).as_posix() not in pages.PAGES]
EXAMPLES = sorted(path.parent for path in (ROOT / "docs/examples").glob("*/tako.toml"))
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)#([^)\s]+)\)")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^<!-- command: (\w+) -->\n```sh\n([^\n]+)\n```$", re.MULTILINE)
TWO_SENTENCES = re.compile(r"[a-z0-9`)\]][.!?] (?=[A-Z])")
ITEM = re.compile(r"^\s*(\d+\.|[-*]) ")


def name_of(path: object) -> str:
    """Name a document in a test's id."""
    return path.relative_to(ROOT).as_posix() if isinstance(path, Path) else str(path)


def anchors(path: Path) -> set[str]:
    """Give the anchors that a document's headings make."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_into_documents_find_their_heading(path: Path) -> None:
    links = LINK.findall(FENCED.sub("", path.read_text()))
    broken = [
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor not in anchors((path.parent / target).resolve() if target else path)
    ]
    assert broken == []


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_a_line_holds_one_sentence(path: Path) -> None:
    lines = FENCED.sub("", path.read_text()).splitlines()
    assert [line for line in lines if not line.startswith("|") and TWO_SENTENCES.search(ITEM.sub("", line))] == []


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_a_piece_of_toml_is_toml_and_a_whole_file_is_right(path: Path) -> None:
    for kind, block in FENCED.findall(path.read_text()):
        if kind == "toml":
            tomllib.loads(block)
            if block.startswith("name ="):
                read_project(block, "tako.toml", folder_name="app")


@pytest.mark.parametrize("folder", EXAMPLES, ids=name_of)
def test_an_example_is_a_project_that_can_be_shipped(folder: Path) -> None:
    project = open_project(folder, folder / "tako.toml", env="production").project
    name, runtime = catalog.choose(project, folder)
    runtime.check_built(project, folder)
    assert runtime.recipe(project, folder).runtime == name
    assert project.warnings == ()


def test_every_runtime_has_an_example() -> None:
    shown = {open_project(folder, folder / "tako.toml", env="production").project.runtime for folder in EXAMPLES}
    assert shown == catalog.RUNTIMES.keys()


def test_the_readme_has_the_two_commands() -> None:
    assert [kind for kind, _ in COMMAND.findall((ROOT / "README.md").read_text())] == ["run", "test"]


def test_the_deployment_guide_lists_what_is_never_shipped() -> None:
    guide = (ROOT / "docs/guides/deployment.md").read_text()
    shown = {".git", ".tako/", "node_modules/", ".env*", "*.log", "**/.next/cache/", ".turbo/", ".vite/"}
    assert shown <= set(FIXED)
    assert [name for name in shown if f"`{name.removeprefix('**/').rstrip('/')}`" not in guide] == []


def test_every_verb_has_a_section() -> None:
    page = verbs.render()
    assert [name for name, _ in verbs.commands() if f"\n### tako {name}\n" not in page] == []


def test_every_exit_code_is_told() -> None:
    named = [getattr(errors, name) for name in errors.__all__ if name != "Refused"]
    kinds = [one for one in named if isinstance(one, type) and issubclass(one, errors.TakoError)]
    assert {kind for kind, _, _ in verbs.EXITS} == set(kinds)
    for kind in {*kinds} - {errors.Locked}:  # its code comes with the refusal
        assert f"| {kind.exit_code} | `{kind.code}`" in verbs.render()


def test_every_request_has_a_section_with_its_answer() -> None:
    page = protocol.render()
    for command in messages.REQUESTS:
        section = page.split(f"\n### {command}\n")[1].split("\n### ")[0]
        assert re.search(r"^Answer: \[\w+\]\(#\w+\)\.$", section, re.MULTILINE), command


def test_every_room_with_bounds_has_a_heading() -> None:
    assert {bound.room for bound in bounds.found()} - bounds.ROOMS.keys() == set()


def test_a_bound_tells_value_and_reason() -> None:
    page = bounds.render()
    assert "| `limits.HEAD_SECONDS` | 10 s | A request's head" in page
    assert re.search(r"\| `frames.LINE_LIMIT` \| [^|]+ \| A management message larger than this", page)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("3", 3.0),
        ("4 << 10", 4096.0),
        ("2 * 30.5", 61.0),
        ("(1 << 32) - 2", 2.0**32 - 2),
        ('"3"', None),
        ("f(3)", None),
    ],
)
def test_a_number_is_worked_out(written: str, expected: float | None) -> None:
    found = list(bounds.numbers(ast.parse(f"LIMIT = {written}\n")))
    assert found == ([] if expected is None else [("LIMIT", expected, 1)])


def test_codes_are_found_with_a_message() -> None:
    found = codes.found()
    assert {"locked", "lease_lost", "disk_full", "conflict", "not_found", "busy"} <= found.keys()
    assert found["lease_lost"] == "the lease of … was lost: it expired or somebody else took it over"
    assert found["unreachable"] == "A server could not be reached, or the connection to it ended."


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (str, "text"),
        (int | None, "whole number or null"),
        (tuple[str, ...], "list of text"),
        (dict[str, float], "table of text → number"),
        (messages.Owner, "[Owner](#owner)"),
    ],
    ids=str,
)
def test_types_have_words(kind: object, expected: str) -> None:
    assert words.type_words(kind) == expected


def test_a_table_escapes_bars() -> None:
    assert words.table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x\\|y |\n"
