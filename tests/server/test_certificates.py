"""Which hosts have a certificate while several changes are under way, and what is said of files that are no good."""

from pathlib import Path

import anyio
import pytest

from tako_modules.base.clock import SystemClock
from tako_modules.server.certificates import Certificates
from tako_modules.server.options import ServeOptions


def certificates(folder: Path) -> Certificates:
    """Make one that signs for itself."""
    options = ServeOptions(data_dir=str(folder), socket=str(folder / "s"), rootless=True, port=8080, tls_port=8443)
    return Certificates(options, folder / "certs", SystemClock(), lambda: None)


def hosts(made: Certificates) -> list[str]:
    """Tell who has one."""
    return sorted(name for one in made.current for name in one.names)


async def test_what_is_wanted_has_one_and_nothing_else(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    await made.want(["a.example.com", "a.example.com/api/*", "*.b.example.com"])
    assert hosts(made) == ["*.b.example.com", "a.example.com"]
    await made.want(["a.example.com"])
    assert hosts(made) == ["a.example.com"]


async def test_what_is_coming_keeps_its_own_though_another_change_does_not_know_of_it(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    with made.coming(["new.example.com"]):
        await made.want([])
        with made.coming(["new.example.com", "other.example.com"]):
            await made.want([])
            assert hosts(made) == ["new.example.com", "other.example.com"]
        await made.want([])
        assert hosts(made) == ["new.example.com"]
    await made.want([])
    assert hosts(made) == []


async def test_files_that_are_no_certificate_are_told_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = certificates(tmp_path)
    broken = tmp_path / "certs" / "a.example.com"
    broken.mkdir(parents=True)
    (broken / "fullchain.pem").write_text("no certificate")
    (broken / "privkey.pem").write_text("no key")
    await made.want(["a.example.com"])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.run)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    seen = capfd.readouterr().err
    assert "a.example.com" in seen
    assert seen.count("certificate.problem") == 1
