"""docs/reference/cli.md: every verb with its options and its example, exit codes and environment variables."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module

import click

from tako_modules.base import errors
from tako_modules.cli import options, table
from tako_modules.cli.group import LazyGroup

from . import words

__all__ = ["commands", "example_of", "render"]

HEAD = """# Command line

<!-- Written from tako_modules/cli by `python3 -m tests fix`; change the docstrings and options there. -->

`tako VERB [OPTIONS]`; from the built file `python3 tako.pyz VERB [OPTIONS]`, or `./tako.pyz VERB [OPTIONS]`.
Progress and questions go to standard error, results to standard output.
Without a terminal nothing asks: what needs a yes is an error that names the option to give.
"""
SHARED_HEAD = """## Common options

Every verb but `serve` takes these, in front of it or behind it.
"""
EXIT_HEAD = """## Exit codes
"""
ERRORS_AFTER = """
An error says on standard error what happened, and behind `→` the next thing to do.
With `--json` it is also the document [`tako.error/1`](json/error.json), unless the verb has printed its own.
The code in it is the one of the table, or what the server said; [the protocol](protocol.md#error-codes) lists those.
A bug of Tako ends with 1 and the code `bug`, and its traceback is kept below `~/.tako/errors`.
"""
VARIABLES_HEAD = """## Environment variables
"""
VARIABLES = (
    (
        "`TAKO_HOME`",
        "What is kept across projects: the inventory, accepted host keys, the local authority. Default `~/.tako`.",
    ),
    ("`TAKO_SERVERS`", "Stands in for the inventory: `la=tako@203.0.113.7:22,ny=tako@203.0.113.8`."),
    ("`TAKO_SSH_KEY`", "The private key to log in with: its contents or its path."),
    ("`TAKO_SSH_KEY_PASSPHRASE`", "The passphrase of an encrypted key."),
    ("`TAKO_KNOWN_HOSTS`", "Host keys that are trusted beside the files: lines of a known_hosts file, or its path."),
    ("`SSH_AUTH_SOCK`", "The SSH agent whose keys are tried."),
    ("`TAKO_CACHE`", "Where the built file unpacks itself; else it finds a place of its own."),
    ("`NO_COLOR`", "No colours."),
    ("`TERM=dumb`", "No colours and no moving lines, as `--plain`."),
    ("`XDG_DATA_HOME`, `XDG_RUNTIME_DIR`", "Where the server `local` keeps its data and its socket."),
)
EXITS: tuple[tuple[type[errors.TakoError], str, str], ...] = (
    (
        errors.TakoError,
        "`failed`, or the server's word",
        "It failed; everything is as before unless the message says more.",
    ),
    (errors.UsageError, "`usage`", "The command line asks for something that cannot be."),
    (errors.ConfigError, "`config`", "A configuration file is wrong; the message names file, line and key."),
    (errors.Locked, "`locked`", "Somebody else holds the lease; the message says who, since when and until when."),
    (errors.Locked, "`lease_lost`", "The lease was lost while it was held."),
    (errors.Unreachable, "`unreachable`", "A server could not be reached, or the connection to it ended."),
    (errors.Cancelled, "`cancelled`", "You stopped it."),
    (errors.PartlyDone, "`partly_done`", "Some servers did what was asked and others did not."),
)


def render() -> str:
    """Write the whole page."""
    parts = [HEAD, "## Verbs\n", _overview()]
    parts += [_section(name, command) for name, command in commands()]
    parts += [SHARED_HEAD, _options(_shared()), EXIT_HEAD, _exit_codes() + ERRORS_AFTER]
    parts += [VARIABLES_HEAD, words.table(("variable", "what it does"), VARIABLES)]
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Give every verb with its command, groups resolved: ("servers add", …)."""
    for name, verb in table.VERBS.items():
        if not verb.help:  # it only says that it comes later
            continue
        command: click.Command = LazyGroup()
        context = click.Context(command, info_name="tako")
        for word in name.split():
            assert isinstance(command, click.Group)
            found = command.get_command(context, word)
            assert found is not None, name
            command = found
        yield name, command


def example_of(name: str) -> str:
    """Give the example of a verb: the constant EXAMPLE beside its command."""
    module, _, _ = table.VERBS[name].target.partition(":")
    return str(import_module(module).EXAMPLE)


def _overview() -> str:
    rows = [
        (f"[`tako {name}`](#tako-{name.replace(' ', '-')})", verb.help)
        for name, verb in table.VERBS.items()
        if verb.help
    ]
    return words.table(("verb", "what it does"), rows)


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"tako {name}")
    usage = " ".join([f"tako {name}", *command.collect_usage_pieces(context)])
    own = [one for one in command.params if isinstance(one, click.Option) and one.name not in _shared_names()]
    parts = [f"### tako {name}\n", f"```sh\n{usage}\n```\n", inspect.cleandoc(command.help or "") + "\n"]
    if own:
        parts.append(_options(own))
    parts.append(f"Example: `{example_of(name)}`\n")
    return "\n".join(parts)


def _options(listed: list[click.Option]) -> str:
    return words.table(("option", "what it does"), [_option(one) for one in listed])


def _option(one: click.Option) -> tuple[str, str]:
    record = one.get_help_record(click.Context(click.Command("tako")))
    assert record is not None, one.name
    names, text = record
    names = re.sub(r"INTEGER( RANGE)?|FLOAT RANGE", "NUMBER", names)
    text = re.sub(r" *\[default: ([^;\]]+)(?:; [^\]]*)?\]", r" Default `\1`.", text)
    return f"`{names}`", re.sub(r" *\[([0-9]+)<=x<=([0-9]+)\]", r" \1 to \2.", text)


def _shared() -> list[click.Option]:
    @click.command()
    @options.shared
    def bare() -> None:
        """Have the shared options alone."""

    return [one for one in bare.params if isinstance(one, click.Option)]


def _shared_names() -> set[str]:
    return {one.name for one in _shared() if one.name}


def _exit_codes() -> str:
    rows = [("0", "", "What was asked is done.")]
    rows += [(str(kind.exit_code), code, meaning) for kind, code, meaning in EXITS]
    return words.table(("exit code", "error code", "what it means"), rows)
