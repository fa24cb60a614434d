"""Events are one JSON document a line, whatever is in them."""

import json
import os

import pytest

from tako_modules.base import log
from tako_modules.base.text import Secret


def written(capfd: pytest.CaptureFixture[str]) -> dict[str, object]:
    """Read the one line that was written."""
    [line] = capfd.readouterr().err.splitlines()
    assert len(line.encode()) <= 8192
    read = json.loads(line)
    assert isinstance(read, dict)
    return read


def test_an_event_has_its_name_and_fields(capfd: pytest.CaptureFixture[str]) -> None:
    log.event("instance.ready", app="shop", after=1.5, key=Secret("s3cret"))
    seen = written(capfd)
    assert (seen["event"], seen["app"], seen["after"], seen["key"]) == ("instance.ready", "shop", 1.5, "[secret]")


def test_a_long_field_is_cut_and_the_line_is_still_one_document(capfd: pytest.CaptureFixture[str]) -> None:
    log.event("app.failed", traceback='"\n' * 9000, app="shop")
    seen = written(capfd)
    assert seen["app"] == "shop"
    assert str(seen["traceback"]).startswith('"\n"\n')


def test_a_foreign_byte_in_a_path_is_replaced(capfd: pytest.CaptureFixture[str]) -> None:
    log.event("file.left", path=os.fsdecode(b"/srv/n\xff"), count=3)
    assert written(capfd)["path"] == "/srv/n?"


def test_many_long_fields_leave_the_name(capfd: pytest.CaptureFixture[str]) -> None:
    log.event("odd", **{f"field{number}": "x" * 1000 for number in range(100)})
    assert written(capfd)["event"] == "odd"
