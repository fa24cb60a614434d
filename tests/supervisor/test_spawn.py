"""What init is asked for."""

from pathlib import Path

import pytest

from tako_modules.base.errors import TakoError
from tako_modules.model.instance import Instance
from tako_modules.model.release import Recipe
from tako_modules.server.init import requests
from tako_modules.server.init.fields import Fields
from tako_modules.supervisor.spawn import Ground, Programs, instance_request, resolve, task_request

PROGRAMS = Programs(
    tako=("/usr/bin/python3", "-IS", "/opt/tako/bin/tako.pyz"), pip=("py", "pip"), python="/usr/bin/python3"
)
RELEASE = Path("/opt/tako/apps/shop/releases/v1")
GROUND = Ground(
    release=RELEASE,
    home=Path("/data"),
    temporary=Path("/tmp/shop"),
    uid=60001,
    gid=60002,
    cgroups=("/sys/fs/cgroup/a",),
)
ONE = Instance(app="shop", number=7, version="v1", port=20011)
RECIPE = Recipe(runtime="python", start=("uvicorn", "--port={port}", "{port}", "{tako}", "{x}"), path=(".venv/bin",))


def test_an_instance() -> None:
    request = instance_request(
        ONE, RECIPE, {"A": "1", "PORT": "80", "HOST": "0.0.0.0", "HOME": "/root"}, GROUND, PROGRAMS
    )
    assert request.fields() == {
        "id": "shop/7",
        "kind": "instance",
        "argv": ("uvicorn", "--port=20011", "20011", "/usr/bin/python3", "-IS", "/opt/tako/bin/tako.pyz", "{x}"),
        "env": {
            "LANG": "C.UTF-8",
            "A": "1",
            "PATH": f"{RELEASE}/.venv/bin:/usr/local/bin:/usr/bin:/bin",
            "PORT": "20011",
            "HOST": "127.0.0.1",
            "HOME": "/data",
            "TMPDIR": "/tmp/shop",
        },
        "cwd": str(RELEASE),
        "uid": 60001,
        "gid": 60002,
        "groups": (60002,),
        "umask": 0o077,
        "nofile": 65536,
        "cgroups": ("/sys/fs/cgroup/a",),
        "stdin": False,
    }


def test_a_rootless_one_has_no_user() -> None:
    ground = Ground(release=RELEASE, home=Path("/data"), temporary=Path("/tmp"))
    fields = instance_request(ONE, RECIPE, {}, ground, PROGRAMS).fields()
    assert {"uid", "gid"} & fields.keys() == set()
    assert fields["groups"] == ()


def test_a_task() -> None:
    argv = ("{python}", "-m", "venv", "{port}")
    request = task_request("install-1", argv, {"PATH": "/own"}, GROUND, programs=PROGRAMS, path=("bin",))
    assert request.kind == "task"
    assert request.argv == ("/usr/bin/python3", "-m", "venv", "{port}")
    assert request.env["PATH"] == f"{RELEASE}/bin:/own"
    assert "PORT" not in request.env


@pytest.mark.parametrize("ground", [GROUND, Ground(release=RELEASE, home=Path("/d"), temporary=Path("/t"))])
def test_init_understands_every_request(ground: Ground) -> None:
    import json

    for request in (
        instance_request(ONE, RECIPE, {}, ground, PROGRAMS),
        task_request("x", ("true",), {}, ground, programs=PROGRAMS, path=()),
    ):
        spawn = requests.read(Fields.from_json(json.dumps(request.fields()).encode()), "spawn", 0)
        assert isinstance(spawn, requests.Spawn)
        assert spawn.argv == request.argv
        assert spawn.identity == (None if ground.uid is None else (60001, 60002, (60002,)))


def test_values_are_not_placeholders() -> None:
    assert resolve(("{pip}", "a{pip}", "{python}x", "{{port}}"), PROGRAMS, 1) == (
        "py",
        "pip",
        "a{pip}",
        "/usr/bin/python3x",
        "{1}",
    )


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"BIG": "x" * 200_000}, "more than 120.00 KB"),
        ({"A": "nul\0"}, "'A' cannot be"),
        ({"A=B": ""}, "'A=B' cannot be"),
        ({"": "x"}, "'' cannot be"),
    ],
    ids=["too large", "NUL", "equals sign", "no name"],
)
def test_what_no_process_can_be_given(env: dict[str, str], words: str) -> None:
    with pytest.raises(TakoError, match=words) as caught:
        instance_request(ONE, RECIPE, env, GROUND, PROGRAMS)
    assert "deploy again" in caught.value.hint
