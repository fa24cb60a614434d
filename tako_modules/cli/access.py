"""What a person at a terminal gives to SSH: an answer about an unknown host, and passphrases."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import anyio
import click

from tako_modules.base.text import Secret
from tako_modules.deploy import remote
from tako_modules.ssh.login import Access, Question

__all__ = ["ask", "person_access"]

_TERMINAL = threading.Lock()  # one question at a time, though servers are reached side by side
_given: dict[Path, Secret] = {}


def person_access(
    *,
    asks: bool,
    still: Callable[[], AbstractContextManager[None]] = nullcontext,
    host_key: str = "",
    accept_new: bool = False,
) -> Access:
    """Make the access of this command: the environment's, and questions where somebody can be asked.

    still: keeps the screen quiet while somebody is; host_key, accept_new: what was typed about an unknown host;
    `--yes` says nothing about it.
    """
    found = replace(remote.environment_access(), host_key=host_key, accept_new=accept_new)
    if not asks:
        return found

    async def ask_host(question: Question) -> bool:
        key = f"Its key is {question.fingerprint} ({question.kind})"
        return await ask(f"{question.host} is not known yet. {key}. Trust it?", still)

    async def ask_passphrase(path: Path) -> str:
        return await anyio.to_thread.run_sync(_prompt_passphrase, path, still)

    return replace(found, ask=ask_host, passphrase=ask_passphrase)


async def ask(question: str, still: Callable[[], AbstractContextManager[None]]) -> bool:
    """Ask a person for a yes while other servers go on."""
    return await anyio.to_thread.run_sync(_confirm, question, still)


def _confirm(question: str, still: Callable[[], AbstractContextManager[None]]) -> bool:
    with _TERMINAL, still():
        return click.confirm(question, default=False, err=True)


def _prompt_passphrase(path: Path, still: Callable[[], AbstractContextManager[None]]) -> str:
    """Ask once per file, though several servers may want it."""
    with _TERMINAL:
        if path not in _given:
            with still():
                typed = click.prompt(f"Passphrase of {path}", default="", hide_input=True, show_default=False, err=True)
            _given[path] = Secret(typed)
        return _given[path].reveal()
