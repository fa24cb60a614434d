"""What `tako serve` refuses before it becomes a server, and how it starts init."""

import json

import msgspec
import pytest

from tako_modules.base.errors import UsageError
from tako_modules.server.launch import init_argv
from tako_modules.server.options import ServeOptions, check


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"port": 70000}, "--port 70000"),
        ({"tls_port": -1}, "--tls-port -1"),
        ({"port": 443}, "the same"),
        ({"instance_port_offset": 30001}, "--instance-port-offset"),
        ({"workers": 0}, "--workers"),
        ({"socket": "tako.sock"}, "not an absolute path"),
        ({"data_dir": "data"}, "not an absolute path"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_options_that_cannot_work_are_refused_with_a_remedy(changes: dict[str, int], word: str) -> None:
    with pytest.raises(UsageError, match=word) as refused:
        check(msgspec.structs.replace(ServeOptions(), **changes))
    assert refused.value.hint


def test_init_gets_listeners_socket_and_the_argv_of_its_children() -> None:
    options = ServeOptions(port=8080, tls_port=8443, rootless=True, loopback=True, workers=2, socket="/tmp/t/s")
    argv = init_argv(options, ("py", "tako.pyz"))
    assert "http=127.0.0.1:8080" in argv
    assert "https=[::1]:8443" in argv
    assert argv[argv.index("--socket") + 1] == "/tmp/t/s"
    assert "--rootless" in argv
    control = json.loads(argv[argv.index("--control") + 1])
    assert control[:3] == ["py", "tako.pyz", "__control__"]
    assert msgspec.json.decode(control[3], type=ServeOptions) == options
    assert json.loads(argv[argv.index("--worker") + 1]) == ["py", "tako.pyz", "__worker__"]


def test_a_rootful_server_listens_for_the_world_and_names_its_users() -> None:
    argv = init_argv(ServeOptions(), ("py", "tako.pyz"))
    assert "http=[::]:80" in argv
    assert argv[argv.index("--worker-user") + 1] == "tako-proxy"
    assert argv[argv.index("--group") + 1] == "tako"
