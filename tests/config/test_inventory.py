"""The user's servers, in a file or in a variable."""

import pytest

from tako_modules.config.inventory import name_problem, parse_inventory, parse_servers_variable, same_machine
from tako_modules.config.problems import BadConfig
from tako_modules.model.server import Server

WHOLE = """
# mine
theme = "dark"

[[servers]]
name = "la"
host = "203.0.113.7"

[[servers]]
name = "fra"
host = "fra.example.com"
port = 2222
user = "deploy"
admin = "root"
description = "the old one"
arch = "x86_64"
libc = "glibc"
python = "3.11.2"

[other]
kept = true
"""


def problems(text: str) -> list[str]:
    with pytest.raises(BadConfig) as caught:
        parse_inventory(text, "config.toml")
    return [problem.text("config.toml") for problem in caught.value.problems]


def test_a_whole_file() -> None:
    assert parse_inventory(WHOLE, "config.toml") == (
        Server(name="la", host="203.0.113.7"),
        Server(
            name="fra",
            host="fra.example.com",
            port=2222,
            user="deploy",
            admin="root",
            description="the old one",
            arch="x86_64",
            libc="glibc",
            python="3.11.2",
        ),
    )


@pytest.mark.parametrize("text", ["", "[other]\na = 1", "servers = []"])
def test_no_servers(text: str) -> None:
    assert parse_inventory(text, "config.toml") == ()


def entry(values: dict[str, str | int]) -> str:
    lines = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    return f"[[servers]]\n{lines}"


A = entry({"name": "a", "host": "a.example"})
BROKEN = {
    "name missing": (entry({"host": "x"}), "config.toml:1: servers[0].name: is required"),
    "host missing": (entry({"name": "x"}), "config.toml:1: servers[0].host: is required"),
    "host empty": (entry({"name": "x", "host": ""}), "config.toml:1: servers[0]: '' is not a host"),
    "host an option": (entry({"name": "x", "host": "-v"}), "config.toml:1: servers[0]: '-v' is not a host"),
    "name wrong": (entry({"name": "X", "host": "x"}), "config.toml:1: servers[0]: 'X' is not a name"),
    "name built in": (entry({"name": "local", "host": "x"}), "config.toml:1: servers[0]: the name local is built in"),
    "name reserved": (
        A + entry({"name": "env", "host": "x"}),
        "config.toml:4: servers[1]: no server may be called env: [servers] of tako.toml has a key env",
    ),
    "port zero": (
        entry({"name": "x", "host": "x", "port": 0}),
        "config.toml:4: servers[0].port: must be a whole number >= 1",
    ),
    "login wrong": (
        entry({"name": "x", "host": "x", "user": "a b"}),
        "config.toml:1: servers[0]: 'a b' is not a login",
    ),
    "name twice": (A + entry({"name": "a", "host": "b.example"}), "config.toml:4: servers[1]: the name a is taken"),
    "host twice": (
        A + entry({"name": "b", "host": "A.example", "port": 23}),
        "config.toml:4: servers[1]: the host A.example is",
    ),
    "unknown key": (entry({"name": "x", "host": "x", "prot": 2}), "config.toml:4: servers[0].prot: unknown key"),
    "not a list": ("[servers]\nname = 'a'", "config.toml:1: servers: must be a list of tables"),
    "not a table": ("servers = [3]", "config.toml:1: servers[0]: must be a table"),
    "corrupt": ("a = 1\n[[servers]\n", "config.toml:2: not valid TOML"),
}


@pytest.mark.parametrize(("text", "problem"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_names_the_line(text: str, problem: str) -> None:
    assert problems(text)[0].startswith(problem), problems(text)


def test_a_loopback_host_leads_to_other_machines_on_other_ports() -> None:
    servers = parse_inventory(
        entry({"name": "a", "host": "127.0.0.1", "port": 2201})
        + entry({"name": "b", "host": "127.0.0.1", "port": 2202}),
        "config.toml",
    )
    assert [server.port for server in servers] == [2201, 2202]
    assert problems(entry({"name": "a", "host": "::1"}) + entry({"name": "b", "host": "::1"}))


def test_a_name_that_tako_toml_has_a_use_for_tells_what_to_do() -> None:
    with pytest.raises(BadConfig) as caught:
        parse_inventory(entry({"name": "instances", "host": "x"}), "config.toml")
    assert caught.value.hint.startswith("choose another name")


@pytest.mark.parametrize("name", ["env", "instances", "idle_timeout", "local", "LA", ""])
def test_a_name_is_judged_alone(name: str) -> None:
    assert name_problem(name) is not None
    assert name_problem("la") is None


@pytest.mark.parametrize(
    ("host", "port", "same"),
    [("LA.example", 22, True), ("la.example", 23, True), ("other.example", 22, False)],
)
def test_one_host_is_one_machine(host: str, port: int, same: bool) -> None:
    assert same_machine(Server(name="la", host="la.example"), host, port) == same


VARIABLE = {
    "la=tako@203.0.113.7:22": [Server(name="la", host="203.0.113.7")],
    "la=203.0.113.7": [Server(name="la", host="203.0.113.7")],
    "la=me@la.example:2222, fra=fra.example ,": [
        Server(name="la", host="la.example", port=2222, user="me"),
        Server(name="fra", host="fra.example"),
    ],
    "six=tako@[2001:db8::7]:23": [Server(name="six", host="2001:db8::7", port=23)],
    "": [],
}


@pytest.mark.parametrize(("text", "servers"), VARIABLE.items(), ids=VARIABLE.keys())
def test_the_variable_stands_in(text: str, servers: list[Server]) -> None:
    assert parse_servers_variable(text) == tuple(servers)


@pytest.mark.parametrize(
    "text",
    [
        "la",
        "la=",
        "la=a:0",
        "la=a:65536",
        "la=a:x",
        "LA=a",
        "a=x,a=y",
        "a=x,b=x",
        "a=-x",
        "a=b c@x",
        "local=x",
        "env=x",
        "instances=x",
        "idle_timeout=x",
        "a=2001:db8::7",
    ],
)
def test_a_wrong_variable_is_an_error(text: str) -> None:
    with pytest.raises(BadConfig, match="TAKO_SERVERS: "):
        parse_servers_variable(text)
