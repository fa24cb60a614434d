"""What a person at a terminal gives to SSH: an answer about an unknown host, and passphrases."""

import threading
from dataclasses import replace
from pathlib import Path

import anyio
import click

from tako_modules.base.text import Secret
from tako_modules.deploy import remote
from tako_modules.ssh.login import Access, Question

__all__ = ["person_access"]

_TERMINAL = threading.Lock()  # one question at a time, though servers are reached side by side
_given: dict[Path, Secret] = {}


def person_access(*, asks: bool, host_key: str = "", accept_new: bool = False) -> Access:
    """Make the access of this command: the environment's, and questions where somebody can be asked.

    host_key, accept_new: what was typed about an unknown host; `--yes` says nothing about it.
    """
    found = replace(remote.environment_access(), host_key=host_key, accept_new=accept_new)
    return replace(found, ask=_ask_host, passphrase=_ask_passphrase) if asks else found


async def _ask_host(question: Question) -> bool:
    return await anyio.to_thread.run_sync(_confirm_host, question)


async def _ask_passphrase(path: Path) -> str:
    return await anyio.to_thread.run_sync(_prompt_passphrase, path)


def _confirm_host(question: Question) -> bool:
    words = f"{question.host} is not known yet. Its key is {question.fingerprint} ({question.kind}). Trust it?"
    with _TERMINAL:
        return click.confirm(words, default=False, err=True)


def _prompt_passphrase(path: Path) -> str:
    """Ask once per file, though several servers may want it."""
    with _TERMINAL:
        if path not in _given:
            _given[path] = Secret(
                click.prompt(f"Passphrase of {path}", default="", hide_input=True, show_default=False, err=True)
            )
        return _given[path].reveal()
