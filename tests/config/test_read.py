"""What a tako.toml may say, and every rule that it can break."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tako_modules.base.errors import ConfigError
from tako_modules.config.problems import BadConfig
from tako_modules.config.read import read_project
from tako_modules.model.project import Environment, Placement, Project, Service
from tako_modules.model.release import HealthCheck

WHOLE = """
name = "shop"
runtime = "command"
main = "src/app"
build = "make"
start = ["src/app", "--port", "{port}"]
dev = ["make", "watch"]
release = "make migrate"
include = ["dist/**"]
exclude = ["**/*.map"]

[vars]
LOG_LEVEL = "info"
[vars.production]
API_URL = "https://api.example.com"

[health]
path = "/status"
timeout = 45

[envs.production]
route = "shop.example.com"
[envs.staging]
routes = ["staging.shop.example.com", "*.Example.com/admin/*", "example.com/api*"]
[envs.development]
routes = ["shop.tako.local", "admin.shop.tako.local", "shop.test", "a.shop.localhost"]

[servers]
instances = 0
idle_timeout = 60
[servers.la]
env = "production"
instances = 3
[servers.fra]
env = ["production", "staging", "staging"]
idle_timeout = 900
host = "203.0.113.7"
port = 2222
"""

ENV = '[envs.production]\nroute = "shop.example.com"\n'


def read(text: str, *, folder: str = "shop", detected: str = "") -> Project:
    return read_project(text, "tako.toml", folder_name=folder, detected_name=detected)


def problems(text: str) -> list[str]:
    with pytest.raises(BadConfig) as caught:
        read(text)
    return [f"{problem.line}: {problem.path}: {problem.message}" for problem in caught.value.problems]


def hint(text: str) -> str:
    with pytest.raises(BadConfig) as caught:
        read(text)
    return caught.value.problems[0].hint


def test_a_whole_file() -> None:
    assert read(WHOLE) == Project(
        name="shop",
        runtime="command",
        main="src/app",
        build="make",
        release="make migrate",
        include=("dist/**",),
        exclude=("**/*.map",),
        vars={"LOG_LEVEL": "info"},
        services=(
            Service(
                start=("src/app", "--port", "{port}"),
                dev=("make", "watch"),
                health=HealthCheck(path="/status", timeout=45.0),
            ),
        ),
        environments=(
            Environment(name="production", routes=("shop.example.com",), vars={"API_URL": "https://api.example.com"}),
            Environment(
                name="staging", routes=("staging.shop.example.com", "*.example.com/admin/*", "example.com/api*")
            ),
            Environment(
                name="development",
                routes=("shop.tako.local", "admin.shop.tako.local", "shop.test", "a.shop.localhost"),
            ),
        ),
        placements=(
            Placement(server="la", envs=("production",), instances=3, idle_timeout=60),
            Placement(
                server="fra",
                envs=("production", "staging"),
                instances=0,
                idle_timeout=900,
                host="203.0.113.7",
                port=2222,
            ),
        ),
    )


@pytest.mark.parametrize("text", ["", "\ufeff", "# nothing\n"], ids=["empty", "byte order mark", "comment"])
def test_an_empty_file_has_defaults(text: str) -> None:
    assert read(text) == Project(name="shop")


def test_build_off_is_not_build_unsaid() -> None:
    assert read('build = ""').build == ""
    assert read("").build is None


@pytest.mark.parametrize(
    ("detected", "folder", "name"),
    [
        ("", "My Shop_2", "my-shop-2"),
        ("@org/my-package", "folder", "orgmy-package"),
        ("", "42-things--", "things"),
        ("漢字", "fallback", "fallback"),
        ("a" * 80, "x", "a" * 63),
    ],
)
def test_a_name_is_made_of_what_there_is(detected: str, folder: str, name: str) -> None:
    assert read("", folder=folder, detected=detected).name == name


def test_a_name_that_cannot_be_made_is_required() -> None:
    with pytest.raises(ConfigError, match="name: is required"):
        read("", folder="42")


VARIABLES = [
    ("text = 'a\"$b\\n'", {"text": 'a"$b\\n'}),
    ('lines = "a\\nb\\u00e9"', {"lines": "a\nbé"}),
    ("whole = 1_000", {"whole": "1000"}),
    ("negative = -3", {"negative": "-3"}),
    ("fraction = 1.50", {"fraction": "1.50"}),
    ("large = 1e3", {"large": "1e3"}),
    ("yes = true", {"yes": "true"}),
    ("no = false", {"no": "false"}),
    ('empty = ""', {"empty": ""}),
]


@pytest.mark.parametrize(("line", "values"), VARIABLES, ids=[line for line, _ in VARIABLES])
def test_variables_become_text(line: str, values: dict[str, str]) -> None:
    assert read(f"[vars]\n{line}").vars == values


@pytest.mark.parametrize("name", ["ENV", "PORT", "TAKO_BUILD", "TAKO_", "TAKO_APP_SOCKET"])
def test_reserved_variables_are_ignored_with_a_warning(name: str) -> None:
    project = read(f'[vars]\n{name} = "x"\nOTHER = "y"\n[vars.production]\n{name} = "z"')
    assert project.vars == {"OTHER": "y"}
    assert project.variables("production") == {"OTHER": "y"}
    assert project.warnings == (
        f"tako.toml:2: vars.{name}: is set by tako itself; this value is ignored",
        f"tako.toml:5: vars.production.{name}: is set by tako itself; this value is ignored",
    )


def test_variables_of_an_environment_win() -> None:
    project = read('[vars]\nA = "1"\nB = "1"\n[vars.staging]\nB = "2"\n[envs.staging]\nroute = "a.b"')
    assert project.variables("staging") == {"A": "1", "B": "2"}
    assert project.variables("unknown") == {"A": "1", "B": "1"}


BROKEN = {
    "unknown key": ("nme = 1", "1: nme: unknown key"),
    "wrong type": ("name = 3", "1: name: must be text in quotes, not a whole number"),
    "empty text": ('name = ""', "1: name: must not be empty"),
    "capital in the name": ('name = "Shop"', "1: name: 'Shop' is not a name"),
    "long name": (f'name = "{"a" * 64}"', "1: name: 'aaa"),
    "name ending in a hyphen": ('name = "a-"', "1: name: 'a-' is not a name"),
    "name with a digit first": ('name = "1a"', "1: name: '1a' is not a name"),
    "unknown runtime": ('runtime = "pyton"', "1: runtime: 'pyton' is not a runtime"),
    "later runtime": ('\nruntime = "bun"', "2: runtime: bun comes with version"),
    "start as text": ('start = "run me"', "1: start: must be a list, not text in quotes"),
    "empty start": ("start = []", "1: start: must not be empty"),
    "empty word": ('start = [\n"a",\n""]', "3: start[1]: must not be empty"),
    "number in start": ('start = ["a", 80]', "1: start[1]: must be text in quotes, not a whole number"),
    "main outside": ('main = "../x"', "1: main: '../x' leaves the project"),
    "absolute main": ('main = "/x"', "1: main: '/x' leaves the project"),
    "glob outside": ('include = ["a", "../**"]', "1: include[1]: '../**' leaves the project"),
    "exclude outside": ('exclude = ["/etc/*"]', "1: exclude[0]: '/etc/*' leaves the project"),
    "NUL in build": ('build = "a\\u0000"', "1: build: has a NUL"),
    "NUL in start": ('start = ["a\\u0000"]', "1: start[0]: has a NUL"),
    "health path": ('[health]\npath = "status"', "2: health.path: 'status' is not a path"),
    "health path with a space": ('[health]\npath = "/a b"', "2: health.path: '/a b' is not a path"),
    "health timeout zero": ("[health]\ntimeout = 0", "2: health.timeout: must be a whole number >= 1"),
    "health timeout fraction": ("[health]\ntimeout = 1.5", "2: health.timeout: must be a whole number, not a number"),
    "health as a number": ("health = 3", "1: health: must be a table, not a whole number"),
    "date as a variable": ("[vars]\nA = 1979-05-27", "2: vars.A: must be text, a number, true or false"),
    "list as a variable": ("[vars]\nA = [1]", "2: vars.A: must be text, a number, true or false"),
    "name of a variable": ('[vars]\n"A B" = 1', '2: vars."A B": is not a name for a variable'),
    "NUL in a variable": ('[vars]\nA = "\\u0000"', "2: vars.A: has a NUL"),
    "huge variable": (f'[vars]\nA = "{"x" * 65_536}"', "1: vars: the variables take 65537 bytes, more than 65536"),
    "many variables": (
        f'[vars]\nA = "{"x" * 40_000}"\n[vars.production]\nB = "{"x" * 40_000}"',
        "3: vars.production: the variables take 80002 bytes",
    ),
    "table deep in variables": ("[vars.production.x]\na = 1", "1: vars.production.x: must be text"),
    "variables of no environment": ("[vars.prod]\nA = 1", "1: vars.prod: there is no environment 'prod'"),
    "environment without routes": ("[envs.staging]", "1: envs.staging: has no routes"),
    "empty routes": ("[envs.staging]\nroutes = []", "2: envs.staging.routes: must not be empty"),
    "route and routes": (
        '[envs.staging]\nroute = "a.b"\nroutes = ["c.d"]',
        "2: envs.staging.route: an environment has either route or routes",
    ),
    "route without a dot": ('[envs.staging]\nroute = "shop"', "2: envs.staging.route: 'shop' needs a host with a dot"),
    "empty route": ('[envs.staging]\nroute = ""', "2: envs.staging.route: '' needs a host with a dot"),
    "route of a path": ('[envs.staging]\nroute = "/api"', "2: envs.staging.route: '/api' needs a host"),
    "wildcard in the middle": ('[envs.staging]\nroute = "a.*.b"', "2: envs.staging.route: 'a.*.b' has a host"),
    "wildcard in the path": ('[envs.staging]\nroute = "a.b/*/c"', "2: envs.staging.route: 'a.b/*/c' has a path"),
    "route with a port": ('[envs.staging]\nroute = "a.b:80"', "2: envs.staging.route: 'a.b:80' has a host"),
    "route with a scheme": ('[envs.staging]\nroute = "https://a.b"', "2: envs.staging.route: 'https://a.b' needs"),
    "a route twice": ('[envs.staging]\nroutes = ["a.b",\n"A.b/"]', "3: envs.staging.routes[1]: 'A.b/' is listed twice"),
    "other keys of an environment": (ENV + "FOO = 1", "3: envs.production.FOO: unknown key"),
    "name of an environment": ('[envs.Prod]\nroute = "a.b"', "1: envs.Prod: 'Prod' is not a name"),
    "development route of another app": (
        '[envs.development]\nroute = "blog.test"',
        "2: envs.development.route: 'blog.test' is not a development route",
    ),
    "development route of a real host": (
        '[envs.development]\nroute = "shop.example.com"',
        "2: envs.development.route: 'shop.example.com' is not",
    ),
    "development route that only ends so": (
        '[envs.development]\nroute = "myshop.test"',
        "2: envs.development.route: 'myshop.test' is not",
    ),
    "server without environment": (ENV + "[servers.la]", "3: servers.la.env: is required"),
    "server of no environments": (ENV + "[servers.la]\nenv = []", "4: servers.la.env: must not be empty"),
    "server of an unknown environment": (
        ENV + '[servers.la]\nenv = "prodution"',
        "4: servers.la.env: 'prodution' is not a declared environment",
    ),
    "server name": (ENV + '[servers.LA]\nenv = "production"', "3: servers.LA: 'LA' is not a name"),
    "server called env": (ENV + '[servers.env]\nenv = "production"', "3: servers.env: no server may be called env"),
    "server called idle_timeout": ("[servers.idle_timeout]\nx = 1", "1: servers.idle_timeout: no server may be"),
    "server called instances": ("[servers.instances]\nenv = 1", "1: servers.instances: "),
    "unknown default": ("[servers]\nport = 80", "2: servers.port: unknown key"),
    "negative instances": ("[servers]\ninstances = -1", "2: servers.instances: must be a whole number"),
    "too many instances": ("[servers]\ninstances = 256", "2: servers.instances: must be a whole number"),
    "instances as a fraction": ("[servers]\ninstances = 1.0", "2: servers.instances: must be a whole number"),
    "instances as a truth": ("[servers]\ninstances = true", "2: servers.instances: must be a whole number"),
    "idle_timeout zero": ("[servers]\nidle_timeout = 0", "2: servers.idle_timeout: must be a whole number >= 1"),
    "idle_timeout too long": ("[servers]\nidle_timeout = 604801", "2: servers.idle_timeout: must be a whole number <="),
    "port zero": (ENV + '[servers.a]\nenv = "production"\nport = 0', "5: servers.a.port: must be a whole number >= 1"),
    "port too large": (ENV + '[servers.a]\nenv = "production"\nport = 65536', "5: servers.a.port: must be a whole"),
    "host that is an option": (
        ENV + '[servers.a]\nenv = "production"\nhost = "-oX"',
        "5: servers.a.host: '-oX' is not",
    ),
    "not TOML": ("a = 1\nb = \n", "2: : not valid TOML: Invalid value (column 5)"),
}


@pytest.mark.parametrize(("text", "problem"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_rule_names_line_and_key(text: str, problem: str) -> None:
    assert [found for found in problems(text) if found.startswith(problem)] == problems(text)[:1], problems(text)


LATER = {
    "strategy": ('strategy = "rolling"', "1: strategy"),
    "edge": ("[edge]\ncache = true", "1: edge"),
    "limits": ('[limits]\nmemory = "512M"', "1: limits"),
    "log": ('[log]\nkeep = "7d"', "1: log"),
    "range": ("[servers]\ninstances = { min = 1, max = 3 }", "2: servers.instances"),
    "range of a server": (
        ENV + '[servers.la]\nenv = "production"\ninstances = { min = 1, max = 3 }',
        "5: servers.la.instances",
    ),
    "range as a table": ("[servers.instances]\nmin = 1\nmax = 3", "1: servers.instances"),
    "services": ('[services.worker]\nstart = ["work"]', "1: services"),
    "services of a server": (ENV + '[servers.la]\nenv = "production"\nservices = { w = 2 }', "5: servers.la.services"),
    "schedule": ('[schedule.nightly]\ncron = "0 3 * * *"\nrun = "make clean"', "1: schedule"),
}


@pytest.mark.parametrize(("text", "place"), LATER.values(), ids=LATER.keys())
def test_a_reserved_key_names_the_version_that_brings_it(text: str, place: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(f"{place}: ")
    assert "comes with version" in problem


RESERVED_BUT_WRONG = {
    "strategy": ("strategy = 3", "1: strategy: must be text"),
    "range": ("[servers]\ninstances = { min = 1, most = 3 }", "2: servers.instances: "),
    "service without start": ("[services.worker]\ninstances = 1", "1: services.worker.start: is required"),
    "service web": ('[services.web]\nstart = ["x"]', "1: services.web: the top level of the file describes web"),
    "service key": ('[services.worker]\nstart = ["x"]\nstrat = 1', "3: services.worker.strat: unknown key"),
    "schedule without run": ('[schedule.a]\ncron = "* * * * *"', "1: schedule.a.run: is required"),
}


@pytest.mark.parametrize(("text", "problem"), RESERVED_BUT_WRONG.values(), ids=RESERVED_BUT_WRONG.keys())
def test_reserved_keys_are_typed_already(text: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in problems(text)), problems(text)


HINTS = [
    ("nme = 1", "did you mean name?"),
    (ENV + "rute = 1", "did you mean route?"),
    ("instances = 3", "write it under [servers]"),
    ('route = "a.b"', "write it under [envs.production]"),
    ('runtime = "pyton"', "did you mean python?"),
    ("[envs.staging]", 'add route = "shop.example.com" under [envs.staging]'),
    ('name = "My Shop"', 'write "my-shop"'),
    (ENV + '[servers.la]\nenv = "prod"', "did you mean production?"),
    ('[servers.la]\nenv = "production"', 'declare it: [envs.production] with route = "…"'),
]


@pytest.mark.parametrize(("text", "words"), HINTS, ids=[text for text, _ in HINTS])
def test_a_problem_says_what_to_write(text: str, words: str) -> None:
    assert hint(text) == words


def test_all_problems_come_at_once_in_order_of_lines() -> None:
    text = (
        'start = 3\n[health]\ntimeout = 0\n[envs.production]\nroute = "x"\n[servers.la]\nenv = "x"\nport = 0\nfoo = 1\n'
    )
    with pytest.raises(BadConfig) as caught:
        read(text)
    lines = caught.value.message.splitlines()
    assert lines[0] == "tako.toml has 6 problems"
    assert [line.split(": ")[0] for line in lines if line.startswith("tako.toml:")] == [
        f"tako.toml:{number}" for number in (1, 3, 5, 7, 8, 9)
    ]
    assert caught.value.exit_code == 2


def test_one_wrong_environment_does_not_undeclare_the_others() -> None:
    assert problems(ENV + '[envs.staging]\nroute = 3\n[servers.la]\nenv = ["production", "staging"]') == [
        "4: envs.staging.route: must be text in quotes, not a whole number"
    ]


def test_nesting_without_end_is_an_error() -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        read("a = " + "[" * 100_000)


@given(st.integers(0, len(WHOLE)), st.integers(0, 30), st.text("[]{}\"'=.,#\n\\ abn01-_*", max_size=12))
def test_any_text_is_a_project_or_its_problems(at: int, cut: int, new: str) -> None:
    """No text ends in an error of another kind."""
    with suppress(BadConfig):
        assert read(WHOLE[:at] + new + WHOLE[at + cut :]).name
