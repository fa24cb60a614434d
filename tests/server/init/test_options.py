"""Options: what the command line means, and the line that names a mistake."""

import os

import pytest

from tako_modules.server.init.options import Address, parse

PROGRAMS = ["--control", '["control"]', "--worker", '["worker", "-v"]']
NEEDED = ["--socket", "/run/tako.sock", *PROGRAMS, "--worker-user", "nobody"]


def test_everything_is_read() -> None:
    options = parse(
        [
            *NEEDED,
            "--listen",
            "http=0.0.0.0:80",
            "--listen",
            "http=[::1]:8080",
            "--workers",
            "3",
            "--worker-env",
            "A=b=c",
        ]
    )
    assert options.listen == (Address("http", "0.0.0.0", 80), Address("http", "::1", 8080))
    assert [address.key for address in options.listen] == ["http=0.0.0.0:80", "http=[::1]:8080"]
    assert (options.control, options.worker) == (("control",), ("worker", "-v"))
    assert (options.workers, options.worker_env) == (3, (("A", "b=c"),))
    assert (options.state, options.check, options.reuse_port) == (None, False, False)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--listen", "http"], "'http' is not NAME=HOST:PORT"),
        (["--listen", "http=127.0.0.1"], "is not NAME=HOST:PORT"),
        (["--listen", "http=127.0.0.1:65536"], "is not NAME=HOST:PORT"),
        (["--listen", "http=::1:80"], "stands in brackets"),
        (["--listen", "http=[127.0.0.1]:80"], "stands in brackets"),
        (["--listen", "mgmt=127.0.0.1:80"], "is taken by the management socket"),
        (["--listen", "a=127.0.0.1:1", "--listen", "a=127.0.0.1:1"], "named twice"),
        ([word for n in range(33) for word in ("--listen", f"a=127.0.0.1:{n + 1}")], "more than 32 listeners"),
        (["--workers", "-1"], "not between 0 and 256"),
        (["--workers", "many"], "invalid int value"),
        (["--control", "serve"], "not JSON"),
        (["--worker", "[]"], "not a JSON list of words"),
        (["--worker", "[1]"], "not a JSON list of words"),
        (["--worker-env", "=x"], "is not NAME=VALUE"),
        (["--work", "3"], "unrecognized arguments"),
    ],
)
def test_a_mistake_is_named(more: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([*NEEDED, *more])
    assert ended.value.code == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["--socket", "--control", "--worker"])
def test_what_is_needed(missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = NEEDED.index(missing)
    with pytest.raises(SystemExit):
        parse(NEEDED[:place] + NEEDED[place + 2 :])
    assert missing in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody else could run workers as root")
def test_workers_run_as_root_only_when_told(capsys: pytest.CaptureFixture[str]) -> None:
    nameless = NEEDED[: NEEDED.index("--worker-user")]
    with pytest.raises(SystemExit):
        parse(nameless)
    assert "--worker-user is needed" in capsys.readouterr().err
    assert parse([*nameless, "--rootless"]).rootless
    assert parse([*nameless, "--workers", "0"]).workers == 0
