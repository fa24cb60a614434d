"""The inventory on disk."""

import os
import stat
from pathlib import Path

import pytest

from tako_modules.base.errors import ConfigError, TakoError, UsageError
from tako_modules.base.paths import Home
from tako_modules.model.server import Server
from tako_modules.workspace.inventory import add_server, check_changeable, read_servers, remove_server, update_server

LA = Server(name="la", host="203.0.113.7", admin="root")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home/.tako")


def test_without_a_home_there_is_no_server(home: Home) -> None:
    assert read_servers(home) == ()


def test_servers_come_and_go(home: Home) -> None:
    add_server(home, LA)
    update_server(home, Server(name="la", host="203.0.113.7", arch="x86_64"))
    add_server(home, Server(name="fra", host="fra.example"))
    assert [(server.name, server.arch) for server in read_servers(home)] == [("la", "x86_64"), ("fra", "")]
    remove_server(home, "la")
    assert [server.name for server in read_servers(home)] == ["fra"]
    assert stat.S_IMODE(home.inventory.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700


def test_a_host_under_a_second_name_is_refused(home: Home) -> None:
    add_server(home, LA)
    before = home.inventory.read_bytes()
    with pytest.raises(ConfigError, match="is already called la"):
        add_server(home, Server(name="los-angeles", host="203.0.113.7"))
    assert home.inventory.read_bytes() == before


def test_a_corrupt_file_is_reported_and_left(home: Home) -> None:
    home.root.mkdir(parents=True)
    home.inventory.write_text("[[servers]]\nname = ")
    for act in (lambda: add_server(home, LA), lambda: remove_server(home, "la"), lambda: read_servers(home)):
        with pytest.raises(ConfigError, match=r"config\.toml:2: not valid TOML"):
            act()
    assert home.inventory.read_text() == "[[servers]]\nname = "


def test_a_link_to_the_file_stays_a_link(home: Home, tmp_path: Path) -> None:
    home.root.mkdir(parents=True)
    (tmp_path / "dotfiles.toml").write_text("# mine\n")
    home.inventory.symlink_to(tmp_path / "dotfiles.toml")
    add_server(home, LA)
    assert home.inventory.is_symlink()
    assert (tmp_path / "dotfiles.toml").read_text().startswith("# mine\n\n[[servers]]")


def test_the_variable_stands_in(home: Home) -> None:
    add_server(home, LA)
    os.environ["TAKO_SERVERS"] = "ci=root@127.0.0.1:2222"
    try:
        assert read_servers(home) == (Server(name="ci", host="127.0.0.1", port=2222, user="root"),)
        with pytest.raises(UsageError, match="stands in"):
            add_server(home, Server(name="fra", host="x"))
        with pytest.raises(UsageError, match="stands in"):
            check_changeable()
    finally:
        del os.environ["TAKO_SERVERS"]
    assert read_servers(home) == (LA,)
    check_changeable()


def test_an_unknown_server_cannot_go(home: Home) -> None:
    with pytest.raises(TakoError, match="there is no server la"):
        remove_server(home, "la")
