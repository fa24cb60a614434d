"""What a person at a terminal gives to SSH: an answer about an unknown host, and passphrases."""

import functools
from dataclasses import replace
from pathlib import Path

import anyio
import click

from tako_modules.cli.session import interactive
from tako_modules.deploy import remote
from tako_modules.ssh.login import Access, Question

__all__ = ["person_access"]


def person_access(*, host_key: str = "", accept_new: bool = False) -> Access:
    """Make the access of this command: the environment's, and questions where there is a terminal.

    host_key, accept_new: what was typed about an unknown host; `--yes` says nothing about it.
    """
    found = replace(remote.environment_access(), host_key=host_key, accept_new=accept_new)
    return replace(found, ask=_ask_host, passphrase=_ask_passphrase) if interactive() else found


async def _ask_host(question: Question) -> bool:
    words = f"{question.host} is not known yet. Its key is {question.fingerprint} ({question.kind}). Trust it?"
    return await anyio.to_thread.run_sync(functools.partial(click.confirm, words, default=False, err=True))


async def _ask_passphrase(path: Path) -> str:
    ask = functools.partial(
        click.prompt, f"Passphrase of {path}", default="", hide_input=True, show_default=False, err=True
    )
    return str(await anyio.to_thread.run_sync(ask))
