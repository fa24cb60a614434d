"""A machine of the inventory in words."""

import pytest

from tako_modules.config.inventory import parse_servers_variable
from tako_modules.model.server import Server


@pytest.mark.parametrize("address", ["tako@203.0.113.7:22", "ann@[::1]:2222"])
def test_an_address_is_written_as_it_is_read(address: str) -> None:
    (server,) = parse_servers_variable(f"la={address}")
    assert server.address == address


def test_the_built_in_one_has_no_address() -> None:
    assert Server(name="local", host="127.0.0.1").address == "local"
