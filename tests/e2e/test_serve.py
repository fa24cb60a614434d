"""`tako serve` by hand, as a user without any right: greeted over its socket, deployed to, asked over TLS."""

import json
from pathlib import Path

import pytest

from tako_modules.protocol.version import PROTOCOL
from tests.kit.container import Container
from tests.kit.engine import pause_until
from tests.kit.projects import project

USER = "nobody"
SOCKET, DATA, HOME = "/tmp/tako.sock", "/tmp/tako-data", "/tmp/home"
SERVE = ["tako", "serve", "--socket", SOCKET, "--port", "8080", "--tls-port", "8443", "--data-dir", DATA, "--no-acme"]
GREET = f"""
import socket, sys
greeting = socket.socket(socket.AF_UNIX)
greeting.connect("{SOCKET}")
greeting.sendall(sys.argv[1].encode() + b"\\n")
print(greeting.makefile().readline())
"""
ASK = f"""
import socket, ssl, sys
name, path = sys.argv[1:]
context = ssl.create_default_context(cafile=f"{DATA}/certs/{{name}}/fullchain.pem")
with context.wrap_socket(socket.create_connection(("127.0.0.1", 8443)), server_hostname=name) as stream:
    stream.sendall(f"GET {{path}} HTTP/1.1\\r\\nHost: {{name}}:8443\\r\\nConnection: close\\r\\n\\r\\n".encode())
    print(stream.makefile().read())
"""
MOVED = """
import http.client, sys
asked = http.client.HTTPConnection("127.0.0.1", 8080)
asked.request("GET", sys.argv[2], headers={"Host": sys.argv[1]})
answer = asked.getresponse()
print(answer.status, answer.headers["Location"])
"""


@pytest.fixture
def serving(server_with_file: Container, tmp_path: Path) -> Container:
    """A machine on which nobody serves, and has a project in /srv/shop."""
    machine = server_with_file
    machine.engine.docker("exec", "--detach", "--user", USER, machine.name, *SERVE)
    machine.copy_in(project("shop", tmp_path / "shop", 'GREETING = "hello"', servers=("local",)), "/srv/shop")
    machine.shell(f"mkdir -p {HOME}/local && ln -s {SOCKET} {HOME}/local/tako.sock")
    machine.shell(f"chown -R {USER} /srv/shop {HOME}")
    greeting = json.dumps({"command": "hello", "protocol_version": PROTOCOL})

    def answers() -> bool:
        return machine.exec(["python3", "-c", GREET, greeting], user=USER, check=False).code == 0

    pause_until(answers, seconds=30, what="the start of the server")
    return machine


def test_an_unprivileged_server_is_deployed_to_and_answers(serving: Container) -> None:
    greeting = json.dumps({"command": "hello", "protocol_version": PROTOCOL})
    hello = json.loads(serving.exec(["python3", "-c", GREET, greeting], user=USER).out)
    assert (hello["status"], hello["data"]["protocol_version"]) == ("ok", PROTOCOL)
    environment = ["env", f"TAKO_HOME={HOME}", f"HOME={HOME}", f"XDG_CACHE_HOME={HOME}/cache"]
    words = [*environment, "sh", "-c", "cd /srv/shop && exec tako deploy --yes --json"]
    deployed = json.loads(serving.exec(words, user=USER).out)
    answer = serving.exec(["python3", "-c", ASK, "shop.bed.test", "/env"], user=USER).out
    assert " 200 " in answer.splitlines()[0]
    assert f"x-version: {deployed['version']}" in answer.lower()
    assert '"GREETING": "hello"' in answer
    moved = serving.exec(["python3", "-c", MOVED, "shop.bed.test", "/a?b=c"], user=USER).out
    assert moved == "308 https://shop.bed.test:8443/a?b=c\n"
    owners = serving.shell(f"find {DATA} {SOCKET} ! -user {USER}; stat -c '%a %F' {SOCKET}").out
    assert owners == "600 socket\n"
    assert serving.exec(["find", "/opt", "/run", "/var", "-user", USER]).out == ""
