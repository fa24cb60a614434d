"""Groups of verbs that import a verb when it is typed, and suggest one when it is mistyped."""

from importlib import import_module

import click

from tako_modules.base.errors import UsageError

from . import table, words
from .options import before_verb

__all__ = ["LazyGroup"]

SIMILAR = 0.6  # difflib's measure of a likely slip of the fingers


class LazyGroup(click.Group):
    """`tako`, or one of its groups; `prefix` is what was typed before, with a space behind it."""

    def __init__(self, verbs: dict[str, table.Verb] = table.VERBS, prefix: str = "") -> None:
        settings = {"help_option_names": ["-h", "--help"]}
        name, options = prefix.strip() or "tako", before_verb()
        super().__init__(
            name, context_settings=settings, params=options, callback=_needs_verb, invoke_without_command=True
        )
        self._verbs = verbs
        self._prefix = prefix
        self._listed = table.top_level(verbs, prefix)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List names, without importing what they name."""
        return list(self._listed)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one verb that was typed."""
        name = self._prefix + cmd_name
        if name in self._verbs:
            module, _, attribute = self._verbs[name].target.partition(":")
            command = getattr(import_module(module), attribute)
            assert isinstance(command, click.Command), name
            return command
        return LazyGroup(self._verbs, f"{name} ") if cmd_name in self._listed else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; raises UsageError that names the nearest one."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise self._unknown(args[0])
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        """Write the help from the table."""
        about = table.GROUPS.get(self._prefix.strip(), words.ABOUT)
        return words.help_text(self._listed, self._prefix, about)

    def _unknown(self, typed: str) -> UsageError:
        from difflib import get_close_matches

        near = get_close_matches(typed, self._listed, n=1, cutoff=SIMILAR)
        command = f"tako {self._prefix}{near[0]}" if near else f"tako {self._prefix}--help"
        hint = f"did you mean `{command}`?" if near else f"run `{command}` to see the verbs"
        return UsageError(f"there is no verb `{self._prefix}{typed}`", hint=hint)


@click.pass_context
def _needs_verb(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        raise UsageError(f"{ctx.command_path} needs a verb", hint=f"run `{ctx.command_path} --help` to see them")
