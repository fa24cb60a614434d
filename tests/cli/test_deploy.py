"""What `tako deploy` refuses before it looks at the project."""

from pathlib import Path

import pytest

from tako_modules.cli import guard


@pytest.mark.parametrize("note", ["x" * 1001, "a\nb\x1b[31mx"], ids=["long", "controls"])
def test_a_note_is_checked_before_the_build(
    note: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert guard.run(["deploy", "--note", note, "--yes"]) == 2
    told = capsys.readouterr().err
    assert "the note" in told
    assert "--note" in told
    assert "\x1b" not in told
