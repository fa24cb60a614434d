"""Which variable wins, and what an instance sees of its server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tako_modules.config.layer import INHERITED, Own, instance_environment

OWN = Own(app="shop", env="staging", build="abc", data_dir="/d", instance="shop.staging/3", port=20011)


def see(
    variables: dict[str, str] | None = None,
    secrets: dict[str, str] | None = None,
    runtime: dict[str, str] | None = None,
    inherited: dict[str, str] | None = None,
    path: tuple[str, ...] = (),
) -> dict[str, str]:
    return instance_environment(
        OWN,
        variables=variables or {},
        secrets=secrets or {},
        runtime=runtime or {},
        inherited=inherited or {},
        path=path,
    )


def test_what_tako_tells() -> None:
    assert see() == {
        "ENV": "staging",
        "TAKO_ENV": "staging",
        "TAKO_APP": "shop",
        "TAKO_BUILD": "abc",
        "TAKO_INSTANCE": "shop.staging/3",
        "TAKO_DATA_DIR": "/d",
        "PORT": "20011",
        "HOST": "127.0.0.1",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }


def test_without_a_port_there_is_none() -> None:
    own = Own(app="shop", env="production", build="abc", data_dir="/d")
    seen = instance_environment(own, variables={}, secrets={}, runtime={}, inherited={})
    assert "PORT" not in seen
    assert "TAKO_INSTANCE" not in seen


def test_later_layers_win() -> None:
    layers = [{"A": "1", "B": "1", "C": "1"}, {"B": "2", "C": "2"}, {"C": "3"}]
    seen = see(layers[0], layers[1], layers[2], {"LANG": "x"})
    assert (seen["A"], seen["B"], seen["C"]) == ("1", "2", "3")


@pytest.mark.parametrize("name", ["ENV", "PORT", "TAKO_ENV", "TAKO_BUILD", "TAKO_ANYTHING", "HOST"])
def test_takos_own_cannot_be_overridden(name: str) -> None:
    assert see({name: "mine"}, {name: "mine"}).get(name) == see().get(name)


def test_little_is_inherited() -> None:
    server = dict.fromkeys((*INHERITED, "SSH_AUTH_SOCK", "PIP_INDEX_URL", "LD_PRELOAD", "TAKO_HOME"), "s")
    assert see(inherited=server).keys() - see().keys() == {"HOME", "LANG", "TZ"}
    assert see({"LANG": "de"}, inherited=server)["LANG"] == "de"


def test_a_releases_programs_come_first() -> None:
    assert see(path=("/r/.venv/bin",), inherited={"PATH": "/bin"})["PATH"] == "/r/.venv/bin:/bin"
    assert see({"PATH": "/mine"}, path=("/r/.venv/bin",))["PATH"] == "/r/.venv/bin:/mine"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_values_stay_byte_for_byte(value: str) -> None:
    assert see({"A": value}, {"B": value})["A"].encode() == value.encode()
    assert see({"A": value}, {"B": value})["B"] == value
