"""Logging in: host keys, keys, the agent, jump hosts, the user's configuration, and words for what goes wrong."""

import importlib.util
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tako_modules.base.errors import ConfigError, TakoError, Unreachable
from tako_modules.ssh import dial
from tako_modules.ssh.login import Access, HostKeyProblem, Login, LoginRefused, Question

from .sshd import Sshd, fingerprint, free_port, keygen, make_key, running


async def says_hello(login: Login, access: Access) -> None:
    """Log in and run something."""
    async with dial.connect(login, access) as session:
        assert (await session.run("echo", "hello")).out == b"hello\n"


def stranger(sshd: Sshd) -> Access:
    """Make a person whose key is let in and who does not know the host."""
    folder = sshd.folder / "stranger"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    access = sshd.access(TAKO_KNOWN_HOSTS="")
    return replace(access, user_folder=folder / ".ssh", accepted=folder / ".tako/known_hosts")


async def test_a_known_host_is_trusted_without_a_word(sshd: Sshd) -> None:
    await says_hello(sshd.login, sshd.access())


async def test_known_hosts_may_be_a_file(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "known").write_text(f"# comment\n\nnonsense\n{sshd.known}")
    await says_hello(sshd.login, sshd.access(TAKO_KNOWN_HOSTS=str(tmp_path / "known")))
    with pytest.raises(TakoError, match="TAKO_KNOWN_HOSTS names"):
        await says_hello(sshd.login, sshd.access(TAKO_KNOWN_HOSTS=str(tmp_path / "none")))


async def test_the_users_own_file_counts_also_when_its_names_are_hashed(sshd: Sshd) -> None:
    access = stranger(sshd)
    access.user_folder.mkdir()
    (access.user_folder / "known_hosts").write_text(sshd.known)
    keygen("-H", "-f", access.user_folder / "known_hosts")
    await says_hello(sshd.login, access)


async def test_an_unknown_key_is_asked_for_once_and_remembered(sshd: Sshd) -> None:
    asked: list[Question] = []

    async def yes(question: Question) -> bool:
        asked.append(question)
        return True

    access = stranger(sshd)
    await says_hello(sshd.login, replace(access, ask=yes))
    await says_hello(sshd.login, replace(access, ask=yes))
    assert asked == [Question("127.0.0.1", sshd.port, "ssh-ed25519", sshd.fingerprint)]
    assert access.accepted.read_text() == sshd.known
    assert access.accepted.stat().st_mode & 0o777 == 0o600


async def test_a_no_ends_it(sshd: Sshd) -> None:
    async def no(question: Question) -> bool:
        return False

    access = replace(stranger(sshd), ask=no)
    with pytest.raises(HostKeyProblem, match="not accepted"):
        await says_hello(sshd.login, access)
    assert not access.accepted.exists()


@pytest.mark.parametrize("named", [True, False], ids=["--host-key", "--accept-new-host-key"])
async def test_a_flag_accepts_an_unknown_key_and_remembers_it(sshd: Sshd, named: bool) -> None:
    access = stranger(sshd)
    flags = replace(access, host_key=sshd.fingerprint) if named else replace(access, accept_new=True)
    await says_hello(sshd.login, flags)
    await says_hello(sshd.login, access)


async def test_a_key_that_is_not_the_named_one_is_refused(sshd: Sshd) -> None:
    other = "SHA256:" + "A" * 43
    for access in (stranger(sshd), sshd.access()):
        with pytest.raises(HostKeyProblem) as caught:
            await says_hello(sshd.login, replace(access, host_key=other))
        assert sshd.fingerprint in caught.value.message


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
async def test_a_changed_key_names_the_line_whatever_the_flags(sshd: Sshd, tmp_path: Path, kind: str) -> None:
    make_key(tmp_path / "other", kind)
    data = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    access = stranger(sshd)
    access.user_folder.mkdir()
    known = access.user_folder / "known_hosts"
    known.write_text(f"# a comment\n[127.0.0.1]:{sshd.port} {data}\n")
    for flags in (access, replace(access, accept_new=True)):
        with pytest.raises(HostKeyProblem) as caught:
            await says_hello(sshd.login, flags)
        assert "changed" in caught.value.message
        assert f"{known}:2" in caught.value.message
    assert not access.accepted.exists()


async def test_a_name_without_the_port_is_enough_to_trust_and_not_to_distrust(sshd: Sshd, tmp_path: Path) -> None:
    access = stranger(sshd)
    access.user_folder.mkdir()
    (access.user_folder / "known_hosts").write_text(sshd.known.replace(f"[127.0.0.1]:{sshd.port}", "127.0.0.1"))
    await says_hello(sshd.login, access)
    make_key(tmp_path / "other")
    (access.user_folder / "known_hosts").write_text("127.0.0.1 " + (tmp_path / "other.pub").read_text())
    with pytest.raises(HostKeyProblem, match="not known yet"):
        await says_hello(sshd.login, access)


async def test_a_revoked_key_is_refused(sshd: Sshd) -> None:
    with pytest.raises(HostKeyProblem, match="revoked"):
        await says_hello(sshd.login, sshd.access(TAKO_KNOWN_HOSTS=f"{sshd.known}@revoked {sshd.known}"))


async def test_a_host_certificate_of_a_known_authority_is_trusted(tmp_path: Path) -> None:
    make_key(tmp_path / "authority")
    known = f"@cert-authority * {(tmp_path / 'authority.pub').read_text()}"
    with running(tmp_path / "sshd", authority=tmp_path / "authority") as sshd:
        await says_hello(sshd.login, sshd.access(TAKO_KNOWN_HOSTS=known))
        await says_hello(sshd.login, sshd.access())
        make_key(tmp_path / "other")
        other = f"@cert-authority * {(tmp_path / 'other.pub').read_text()}"
        with pytest.raises(HostKeyProblem):
            await says_hello(sshd.login, sshd.access(TAKO_KNOWN_HOSTS=other))


async def test_the_key_may_be_given_as_text_as_path_and_on_one_line(sshd: Sshd) -> None:
    text = sshd.key.read_text()
    for value in (text, str(sshd.key), text.replace("\n", "\\n")):
        await says_hello(sshd.login, sshd.access(TAKO_SSH_KEY=value))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param("/none", "TAKO_SSH_KEY names /none, which cannot be read", id="no file"),
        pytest.param("QUJD" * 80, "neither a private key nor a path", id="a key in another coat"),
        pytest.param("-----BEGIN OPENSSH PRIVATE KEY-----\nxx\n", "TAKO_SSH_KEY cannot be used", id="no key"),
    ],
)
async def test_a_given_key_that_cannot_be_used_is_named(sshd: Sshd, value: str, words: str) -> None:
    with pytest.raises(TakoError, match=words):
        await says_hello(sshd.login, sshd.access(TAKO_SSH_KEY=value))


async def test_a_given_key_with_a_passphrase_needs_it(sshd: Sshd, tmp_path: Path) -> None:
    make_key(tmp_path / "locked", "ecdsa", "open sesame", "PKCS8")
    sshd.authorize((tmp_path / "locked.pub").read_text())
    environment = {"TAKO_SSH_KEY": str(tmp_path / "locked")}
    await says_hello(sshd.login, sshd.access(**environment, TAKO_SSH_KEY_PASSPHRASE="open sesame"))
    for wrong in ({}, {"TAKO_SSH_KEY_PASSPHRASE": "wrong"}):
        with pytest.raises(TakoError, match="TAKO_SSH_KEY cannot be used"):
            await says_hello(sshd.login, sshd.access(**environment, **wrong))


def at_home(sshd: Sshd, home: Path, **environment: str) -> Access:
    """Make a person whose keys are in `~/.ssh` or in the agent."""
    access = sshd.access(TAKO_SSH_KEY="", **environment)
    (home / ".ssh").mkdir(exist_ok=True)
    return replace(access, user_folder=home / ".ssh")


async def test_the_users_own_key_is_found(sshd: Sshd, tmp_path: Path) -> None:
    access = at_home(sshd, tmp_path)
    shutil.copy(sshd.key, tmp_path / ".ssh/id_ed25519")
    await says_hello(sshd.login, access)


async def test_a_locked_key_is_asked_for_only_when_nothing_else_helps(sshd: Sshd, tmp_path: Path) -> None:
    make_key(tmp_path / ".ssh/id_ecdsa", "ecdsa", "open sesame", "PKCS8")
    sshd.authorize((tmp_path / ".ssh/id_ecdsa.pub").read_text())
    asked: list[Path] = []

    async def ask(path: Path) -> str:
        asked.append(path)
        return "open sesame"

    access = replace(at_home(sshd, tmp_path), passphrase=ask)
    await says_hello(sshd.login, access)
    assert asked == [tmp_path / ".ssh/id_ecdsa"]
    shutil.copy(sshd.key, tmp_path / ".ssh/id_rsa")
    await says_hello(sshd.login, access)
    assert len(asked) == 1


async def test_openssh_own_form_of_a_locked_key_is_opened_or_said_to_need_a_library(sshd: Sshd, tmp_path: Path) -> None:
    make_key(tmp_path / "locked", passphrase="open sesame")
    sshd.authorize((tmp_path / "locked.pub").read_text())
    access = sshd.access(TAKO_SSH_KEY=str(tmp_path / "locked"), TAKO_SSH_KEY_PASSPHRASE="open sesame")
    if importlib.util.find_spec("bcrypt"):
        await says_hello(sshd.login, access)
        return
    with pytest.raises(TakoError, match="bcrypt"):
        await says_hello(sshd.login, access)


async def test_a_wrong_passphrase_is_told(sshd: Sshd, tmp_path: Path) -> None:
    make_key(tmp_path / ".ssh/id_ecdsa", "ecdsa", "open sesame", "PKCS8")

    async def ask(path: Path) -> str:
        return "wrong"

    with pytest.raises(TakoError, match="id_ecdsa cannot be opened"):
        await says_hello(sshd.login, replace(at_home(sshd, tmp_path), passphrase=ask))


async def test_a_refused_login_names_the_keys_that_were_tried(sshd: Sshd, tmp_path: Path) -> None:
    shown = make_key(tmp_path / ".ssh/id_ed25519")
    make_key(tmp_path / ".ssh/id_rsa", kind="rsa", passphrase="open sesame")
    with pytest.raises(LoginRefused) as caught:
        await says_hello(sshd.login, at_home(sshd, tmp_path))
    assert caught.value.exit_code == 4
    assert f"{tmp_path}/.ssh/id_ed25519 ({shown})" in caught.value.message
    assert f"locked by a passphrase: {tmp_path}/.ssh/id_rsa" in caught.value.message
    assert f"{sshd.user}@la" in caught.value.message


async def test_a_login_without_any_key_says_so(sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(LoginRefused, match="no key, for none was found"):
        await says_hello(sshd.login, at_home(sshd, tmp_path))


@contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[str]:
    """Run an ssh-agent that holds keys and give its socket."""
    path = folder / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            while probe.connect_ex(str(path)) != 0:
                assert process.poll() is None
        for key in keys:
            subprocess.run(
                ["ssh-add", "-q", key], check=True, env={**os.environ, "SSH_AUTH_SOCK": str(path)}, capture_output=True
            )
        yield str(path)
    finally:
        process.kill()
        process.wait()


async def test_the_agents_keys_are_offered(sshd: Sshd, tmp_path: Path) -> None:
    with agent(tmp_path, sshd.key) as path:
        await says_hello(sshd.login, at_home(sshd, tmp_path, SSH_AUTH_SOCK=path))
    make_key(tmp_path / "other")
    (tmp_path / "agent").unlink(missing_ok=True)
    with agent(tmp_path, tmp_path / "other") as path, pytest.raises(LoginRefused, match="the agent's keys"):
        await says_hello(sshd.login, at_home(sshd, tmp_path, SSH_AUTH_SOCK=path))


async def test_an_agent_that_is_gone_does_no_harm(sshd: Sshd, tmp_path: Path) -> None:
    access = at_home(sshd, tmp_path, SSH_AUTH_SOCK=str(tmp_path / "gone"))
    shutil.copy(sshd.key, tmp_path / ".ssh/id_ed25519")
    await says_hello(sshd.login, access)


async def test_too_many_keys_in_the_agent_are_a_refused_login(tmp_path: Path) -> None:
    with running(tmp_path / "sshd", "MaxAuthTries 2") as sshd:
        keys = [tmp_path / f"key{number}" for number in range(4)]
        for key in keys:
            make_key(key)
        with agent(tmp_path, *keys, sshd.key) as path:
            with pytest.raises(LoginRefused):
                await says_hello(sshd.login, at_home(sshd, tmp_path, SSH_AUTH_SOCK=path))
            access = at_home(sshd, tmp_path, SSH_AUTH_SOCK=path)
            access.config.write_text(f"Host 127.0.0.1\n  IdentitiesOnly yes\n  IdentityFile {sshd.key}.pub\n")
            await says_hello(sshd.login, access)


async def test_the_users_configuration_names_host_port_user_and_key(sshd: Sshd, tmp_path: Path) -> None:
    access = at_home(sshd, tmp_path)
    access.config.write_text(
        f"Host prod\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n  IdentityFile {sshd.key}\n"
    )
    await says_hello(Login(host="prod"), access)


async def test_a_configuration_that_cannot_be_read_is_named(sshd: Sshd, tmp_path: Path) -> None:
    access = at_home(sshd, tmp_path)
    access.config.write_text("Host 127.0.0.1\n  Port many\n")
    with pytest.raises(ConfigError, match="SSH configuration"):
        await says_hello(Login(host="127.0.0.1"), access)


async def test_jump_hosts_are_gone_through_and_judged_themselves(sshd: Sshd, tmp_path: Path) -> None:
    asked: list[int] = []

    async def yes(question: Question) -> bool:
        asked.append(question.port)
        return True

    with running(tmp_path / "first") as first, running(tmp_path / "second") as second:
        for hop in (first, second):
            hop.authorize((sshd.folder / "user_key.pub").read_text())
        access = replace(stranger(sshd), ask=yes)
        access.user_folder.mkdir()
        access.config.write_text(
            f"Host inner\n  HostName 127.0.0.1\n  Port {sshd.port}\n"
            f"  ProxyJump {sshd.user}@127.0.0.1:{first.port},second\n"
            f"Host second\n  HostName 127.0.0.1\n  Port {second.port}\n"
        )
        await says_hello(Login(host="inner", user=sshd.user), access)
        assert asked == [first.port, second.port, sshd.port]


async def test_a_loop_of_jump_hosts_is_an_error(sshd: Sshd, tmp_path: Path) -> None:
    access = at_home(sshd, tmp_path)
    access.config.write_text("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    with pytest.raises(Unreachable, match="jump hosts"):
        await says_hello(Login(host="a"), access)


async def test_no_jump_is_none(sshd: Sshd, tmp_path: Path) -> None:
    access = at_home(sshd, tmp_path)
    access.config.write_text(f"Host 127.0.0.1\n  ProxyJump none\n  IdentityFile {sshd.key}\n")
    await says_hello(sshd.login, access)


async def test_a_proxy_command_is_used(sshd: Sshd, tmp_path: Path) -> None:
    access = at_home(sshd, tmp_path)
    relay = tmp_path / "relay.py"
    relay.write_text(
        "import socket, sys, threading, os\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n    while d := os.read(0, 65536): s.sendall(d)\n    os._exit(0)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while d := s.recv(65536): os.write(1, d)\n"
    )
    access.config.write_text(
        f"Host prod\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n  IdentityFile {sshd.key}\n"
        f"  ProxyCommand python3 {relay} %h %p\n"
    )
    await says_hello(Login(host="prod"), access)


async def test_nobody_there_is_told_with_the_port(sshd: Sshd) -> None:
    port = free_port()
    with pytest.raises(Unreachable, match=f"la refuses connections on port {port}"):
        await says_hello(replace(sshd.login, port=port), sshd.access())


async def test_a_name_that_does_not_exist_is_told(sshd: Sshd) -> None:
    with pytest.raises(Unreachable, match=r"the name no-such-host\.invalid cannot be resolved"):
        await says_hello(Login(host="no-such-host.invalid"), sshd.access())


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["silence", "another protocol"])
async def test_a_port_that_is_not_sshs_is_told(sshd: Sshd, greeting: bytes) -> None:
    import threading

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Unreachable, match=r"la (ended|closed) the connection"):
            await says_hello(replace(sshd.login, port=listener.getsockname()[1]), sshd.access())
        thread.join()


def test_secrets_of_the_environment_stay_out_of_reprs(sshd: Sshd) -> None:
    assert "PRIVATE KEY" not in repr(sshd.access(TAKO_SSH_KEY=sshd.key.read_text()))
    assert fingerprint(sshd.key).startswith("SHA256:")
