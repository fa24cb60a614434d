"""Edits keep comments and order, and never write what was not meant."""

import pytest
import tomli

from tako_modules.base.errors import ConfigError, TakoError
from tako_modules.config import edit
from tako_modules.config.inventory import parse_inventory
from tako_modules.model.server import Server

PROJECT = """# the shop
name = "shop"  # stable

[envs.production]
route = "shop.example.com"
"""


def test_a_first_mapping_goes_to_the_end() -> None:
    assert edit.add_server_mapping(PROJECT, "la", "production") == (PROJECT + '\n[servers.la]\nenv = "production"\n')


def test_an_empty_file_takes_one_too() -> None:
    assert edit.add_server_mapping("", "la", "production") == '[servers.la]\nenv = "production"\n'


def test_a_second_environment_makes_a_list_and_keeps_comments() -> None:
    text = PROJECT + '\n[servers.la] # west\nenv = "production"  # for now\ninstances = 2\n# end\n'
    new = edit.add_server_mapping(text, "la", "staging")
    assert new.startswith(PROJECT)
    assert "[servers.la] # west" in new
    assert new.endswith("instances = 2\n# end\n")
    assert tomli.loads(new)["servers"] == {"la": {"env": ["production", "staging"], "instances": 2}}
    assert tomli.loads(edit.add_server_mapping(new, "la", "qa"))["servers"]["la"]["env"] == [
        "production",
        "staging",
        "qa",
    ]


def test_what_is_there_stays() -> None:
    text = PROJECT + '[servers.la]\nenv = ["production"]\n'
    assert edit.add_server_mapping(text, "la", "production") == text


SHAPES = {
    "table": '[servers]\ninstances = 2\n[servers.fra]\nenv = "production"\n[vars]\nA = 1\n',
    "dotted": 'servers.fra.env = "production"\n',
    "out of order": '[servers.fra]\nenv = "production"\n[vars]\nA = 1\n[servers.mia]\nenv = "production"\n',
    "server without env": "[servers.la]\ninstances = 2\n",
    "inline server": 'servers.la = { env = "qa" }\n',
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_that_can_be_edited(text: str) -> None:
    before = tomli.loads(text)
    after = tomli.loads(edit.add_server_mapping(text, "la", "production"))
    assert "production" in after["servers"]["la"]["env"]
    after["servers"]["la"].pop("env")
    before["servers"].setdefault("la", {}).pop("env", None)
    assert after == before


def test_a_shape_that_cannot_be_edited_names_the_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        edit.add_server_mapping('servers = { fra = { env = "production" } }\n', "la", "production")
    assert '[servers.la]\nenv = "production"' in caught.value.hint


def test_a_broken_file_is_not_edited() -> None:
    with pytest.raises(ConfigError, match=r"tako\.toml:1: not valid TOML"):
        edit.add_server_mapping("a = ", "la", "production")


INVENTORY = """# my machines
theme = "dark"

[[servers]] # west
name = "la"
host = "203.0.113.7"  # static

# east
[[servers]]
name = "fra"
host = "fra.example.com"
description = "old"

[other]
a = 1
"""
MIA = Server(name="mia", host="mia.example", admin="root", description='a "b"')


def names(text: str) -> list[str]:
    return [server.name for server in parse_inventory(text, "config.toml")]


def test_servers_come_and_go_and_the_rest_stays() -> None:
    added = edit.add_inventory_server(INVENTORY, MIA)
    assert added.startswith(INVENTORY)
    assert parse_inventory(added, "config.toml")[-1] == MIA
    removed = edit.remove_inventory_server(added, "la")
    assert names(removed) == ["fra", "mia"]
    assert removed.startswith('# my machines\ntheme = "dark"\n')
    assert "[other]\na = 1\n" in removed
    assert "# east" in removed


def test_the_last_server_takes_the_list_with_it() -> None:
    text = edit.remove_inventory_server(edit.remove_inventory_server(INVENTORY, "la"), "fra")
    assert names(text) == []
    assert tomli.loads(text) == {"theme": "dark", "other": {"a": 1}}


def test_the_first_server_of_an_empty_file() -> None:
    assert parse_inventory(edit.add_inventory_server("", MIA), "config.toml") == (MIA,)


def test_what_is_learned_is_written_beside_the_comments() -> None:
    new = edit.update_inventory_server(INVENTORY, Server(name="fra", host="fra.example.com", arch="aarch64"))
    assert parse_inventory(new, "config.toml")[1] == Server(name="fra", host="fra.example.com", arch="aarch64")
    assert "# static" in new
    assert "# east" in new


def test_a_taken_name_is_refused() -> None:
    with pytest.raises(TakoError, match="the name fra is taken"):
        edit.add_inventory_server(INVENTORY, Server(name="fra", host="x"))


@pytest.mark.parametrize("name", ["mia", ""])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(TakoError, match="there is no server"):
        edit.remove_inventory_server(INVENTORY, name)
    with pytest.raises(TakoError, match="there is no server"):
        edit.update_inventory_server(INVENTORY, Server(name=name, host="x"))
