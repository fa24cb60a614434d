"""Every command that Tako tells people to type is one that it takes."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tako_modules.base.errors import UsageError
from tako_modules.cli import table
from tako_modules.cli.group import LazyGroup
from tests.docs import verbs

ROOT = Path(__file__).resolve().parents[2]
QUOTED = re.compile(r"`(tako [a-z][^`]*)`")
FENCED = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
GAP = "…"  # where something is filled in
STAND_IN = "0"  # for what is filled in: a name, a number or a file
PLACEHOLDER = re.compile(r"<[^>]*>|…|\.\.\.")
OPTIONAL = re.compile(r" \[[^\]]*\](?= |$)")
NOUN = re.compile(r"[A-Z][A-Z|]*")  # NAME, VERB
PLANNED = {"tako dev"}  # tako.toml has words for it already


def parse(line: str) -> None:
    """Let click read a command line without running it; raises what it raises.

    A verb that stands alone is a mention of it, whatever it needs; `--help` may follow anything.
    """
    written = shlex.split(PLACEHOLDER.sub(STAND_IN, OPTIONAL.sub("", line)))[1:]
    words = [STAND_IN if NOUN.fullmatch(word) else word for word in written]
    if line in PLANNED or words == ["--help"] or words[0] == STAND_IN:
        return
    command: click.Command = LazyGroup()
    context = click.Context(command, info_name="tako")
    while isinstance(command, click.Group) and words and words != ["--help"]:
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command, context = found, click.Context(found, info_name=name, parent=context)
    if words and "--help" not in words:
        command.make_context(context.info_name, words, parent=context.parent)


def hints() -> Iterator[tuple[str, str]]:
    """Find all quoted commands in texts of the package, what is filled in shown as a gap."""
    for path in sorted((ROOT / "tako_modules").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for command in QUOTED.findall(text_of(node)):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", command


def text_of(node: ast.AST) -> str:
    """Give the text of a literal; "" for anything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def documents() -> Iterator[tuple[str, str]]:
    """Find all commands in documents for people: in code spans and in blocks of shell."""
    for path in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]):
        text = path.read_text(encoding="utf-8")
        found = [line for block in FENCED.findall(text) for line in block.splitlines() if line.startswith("tako ")]
        for command in [*found, *QUOTED.findall(text)]:
            yield str(path.relative_to(ROOT)), command


@pytest.mark.parametrize("name", sorted(table.VERBS))
def test_the_example_of_a_verb_is_one_of_it(name: str) -> None:
    example = verbs.example_of(name)
    assert example.startswith(f"tako {name}")
    parse(example)


@pytest.mark.parametrize("name", sorted(table.VERBS))
def test_the_help_of_a_verb_ends_with_its_example(name: str) -> None:
    command = dict(verbs.commands()).get(name)
    if command is not None:
        assert command.epilog == f"Example: {verbs.example_of(name)}"


@pytest.mark.parametrize("name", sorted(name for name, verb in table.VERBS.items() if verb.help))
def test_the_sentence_of_a_verb_is_one(name: str) -> None:
    assert table.VERBS[name].help.endswith(".")


@pytest.mark.parametrize(("place", "command"), sorted(set(hints())))
def test_a_quoted_command_can_be_typed(place: str, command: str) -> None:
    parse(command)


@pytest.mark.parametrize(("place", "command"), sorted(set(documents())))
def test_a_command_of_the_documents_can_be_typed(place: str, command: str) -> None:
    parse(command)


@pytest.mark.parametrize("command", ["tako dpeloy", "tako deploy --nope", "tako scale many", "tako servers ad x"])
def test_what_cannot_be_typed_is_found(command: str) -> None:
    with pytest.raises((UsageError, click.UsageError)):
        parse(command)
