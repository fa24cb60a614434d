"""The words about a host whose key is not known, where nobody can be asked."""

from dataclasses import replace

import pytest

from tako_modules.ssh import dial
from tako_modules.ssh.login import Access, HostKeyProblem, Login

from .sshd import Sshd


def stranger(sshd: Sshd, inventory: str = "") -> Access:
    """Make a person whose key is let in and who does not know the host; inventory: TAKO_SERVERS."""
    folder = sshd.folder / "nobody"
    access = sshd.access(TAKO_KNOWN_HOSTS="", TAKO_SERVERS=inventory)
    return replace(access, user_folder=folder / ".ssh", accepted=folder / ".tako/known_hosts")


async def unknown(login: Login, access: Access) -> HostKeyProblem:
    """Give the error of a host that is not known, where nobody can be asked."""
    with pytest.raises(HostKeyProblem) as caught:
        async with dial.connect(login, access):
            pass
    return caught.value


async def test_an_unknown_key_is_an_error_that_names_the_flags(sshd: Sshd) -> None:
    typed = Login(host="127.0.0.1", port=sshd.port, user="nobody", name="lb", is_new=True)
    error = await unknown(typed, stranger(sshd))
    assert error.exit_code == 4
    assert sshd.fingerprint in error.message
    again = f"`tako servers add nobody@127.0.0.1 --port {sshd.port} --name lb --host-key {sshd.fingerprint}`"
    assert again in error.hint
    assert "--accept-new-host-key" in error.hint


async def test_only_what_was_typed_is_repeated(sshd: Sshd) -> None:
    error = await unknown(Login(host="127.0.0.1", port=sshd.port, is_new=True), stranger(sshd))
    assert f"`tako servers add 127.0.0.1 --port {sshd.port} --host-key" in error.hint


@pytest.mark.parametrize(("user", "admin"), [("tako", "root"), ("ubuntu", "ubuntu")])
async def test_the_unknown_key_of_a_server_of_the_inventory(sshd: Sshd, user: str, admin: str) -> None:
    error = await unknown(replace(sshd.login, user=user), stranger(sshd))
    assert f"`tako servers add {admin}@127.0.0.1 --port {sshd.port} --name la --host-key" in error.hint
    assert "at a terminal" in error.hint
    assert "--accept-new-host-key" not in error.hint


async def test_the_unknown_key_of_a_jump_host_is_accepted_by_hand(sshd: Sshd) -> None:
    error = await unknown(replace(sshd.login, name=""), stranger(sshd))
    assert f"`ssh -p {sshd.port} {sshd.user}@127.0.0.1`" in error.hint
    assert "servers add" not in error.hint


async def test_without_an_inventory_the_line_of_an_unknown_key_is_told(sshd: Sshd) -> None:
    error = await unknown(sshd.login, stranger(sshd, inventory="la=h"))
    assert f"TAKO_KNOWN_HOSTS: {sshd.known.strip()}" in error.hint
    assert "servers add" not in error.hint
