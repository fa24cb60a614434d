"""The remote end of a tunnel: every byte in both directions, half ends passed on, and it ends when either side does."""

import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = "import sys; from tako_modules.mgmt.socket_pipe import pipe_stdio; sys.exit(pipe_stdio(sys.argv[1]))"


@contextmanager
def pipe(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the pipe as a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Listen on a path."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(10)
        yield listener


def read_all(descriptor: int) -> bytes:
    """Read to the end."""
    data = bytearray()
    while piece := os.read(descriptor, 1 << 20):
        data += piece
    return bytes(data)


def test_bytes_flow_both_ways_and_the_end_of_stdin_is_passed_on(tmp_path: Path) -> None:
    with listening(tmp_path / "s") as listener, pipe(tmp_path / "s") as process:
        connection, _ = listener.accept()
        with connection:
            assert process.stdin
            assert process.stdout
            process.stdin.write(b"question")
            assert connection.recv(100) == b"question"
            process.stdin.close()
            assert connection.recv(100) == b""
            connection.sendall(b"a late answer")
            connection.shutdown(socket.SHUT_WR)
            assert read_all(process.stdout.fileno()) == b"a late answer"
        assert process.wait(10) == 0


def test_much_in_both_directions_at_once_with_slow_ends(tmp_path: Path) -> None:
    data = os.urandom(5_000_000)
    got: list[bytes] = []
    with listening(tmp_path / "s") as listener, pipe(tmp_path / "s") as process:
        assert process.stdin
        assert process.stdout
        connection, _ = listener.accept()
        stdin, stdout = process.stdin, process.stdout

        def echo() -> None:
            with connection:
                while piece := connection.recv(70_000):
                    connection.sendall(piece)

        def send() -> None:
            rest = memoryview(data)
            while rest:
                rest = rest[stdin.write(rest) :]
            stdin.close()

        threads = [
            threading.Thread(target=echo),
            threading.Thread(target=send),
            threading.Thread(target=lambda: got.append(read_all(stdout.fileno()))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert process.wait(10) == 0
    assert got == [data]


def test_it_ends_when_the_server_does_also_while_stdin_is_open(tmp_path: Path) -> None:
    with listening(tmp_path / "s") as listener, pipe(tmp_path / "s") as process:
        connection, _ = listener.accept()
        connection.sendall(b"bye")
        connection.close()
        assert process.stdout
        assert read_all(process.stdout.fileno()) == b"bye"
        assert process.wait(10) == 0


def test_it_ends_when_nobody_reads_its_answers_any_more(tmp_path: Path) -> None:
    with listening(tmp_path / "s") as listener, pipe(tmp_path / "s") as process:
        connection, _ = listener.accept()
        with connection:
            assert process.stdout
            process.stdout.close()
            assert process.wait(10) == 0
            assert connection.recv(1) == b""


def test_a_server_that_closes_while_it_is_written_to_is_heard_to_its_end(tmp_path: Path) -> None:
    with listening(tmp_path / "s") as listener, pipe(tmp_path / "s") as process:
        connection, _ = listener.accept()
        assert process.stdin
        assert process.stdout
        connection.sendall(b"denied")
        connection.close()
        try:
            while True:
                process.stdin.write(b"x" * 65_536)
        except BrokenPipeError:
            assert read_all(process.stdout.fileno()) == b"denied"
        assert process.wait(10) == 0


def test_waiting_costs_no_time_of_the_processor(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with listening(tmp_path / "s") as listener, pipe(tmp_path / "s") as process:
        connection, _ = listener.accept()
        assert process.stdin
        process.stdin.close()
        with connection:
            assert connection.recv(1) == b""
            connection.sendall(b"x" * 100_000)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.7)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


@pytest.mark.parametrize("name", ["none", "x" * 200], ids=["no socket", "a path that is too long"])
def test_a_server_that_is_not_there_is_an_exit_code_and_a_line(tmp_path: Path, name: str) -> None:
    with pipe(tmp_path / name) as process:
        assert process.wait(10) == 4
        assert process.stderr
        assert read_all(process.stderr.fileno()).startswith(b"tako: cannot reach the server at ")


def test_it_imports_next_to_nothing() -> None:
    code = "before = set(sys.modules); import tako_modules.mgmt.socket_pipe; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-IS", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"], capture_output=True
    )
    names = set(done.stdout.decode().split())
    assert not names & {"asyncio", "anyio", "msgspec", "ssl", "json", "logging", "subprocess", "typing", "re"}, names
