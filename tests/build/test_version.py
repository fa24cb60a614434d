"""A version that is a commit says all: the settings that were used are in the commit too."""

from pathlib import Path

import pytest

from .bed import Bed


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path / "shop")


UNSURE = {
    "ignored": (".gitignore", "/tako.toml\n"),
    "ignored by the clone": (".git/info/exclude", "/tako.toml\n"),
    "untracked": (".takoignore", "tako.toml\n"),
}


@pytest.mark.parametrize(("file", "line"), UNSURE.values(), ids=UNSURE.keys())
async def test_settings_that_no_commit_has_are_not_a_commits(bed: Bed, file: str, line: str) -> None:
    bed.write({"src": "1"}).commit()
    bed.write({file: line})
    commit = bed.git("rev-parse", "--short=7", "HEAD") if file.startswith(".git/") else bed.commit()
    bed.write({"tako.toml": "one"})
    first = (await bed.make(variables={"A": "1"})).version
    bed.write({"tako.toml": "two"})
    second = (await bed.make(variables={"A": "2"})).version
    assert len({commit, first, second}) == 3


async def test_settings_behind_a_link_count(bed: Bed) -> None:
    bed.write({"src": "1", "real.toml": "one", ".takoignore": "*.toml\n"})
    (bed.folder / "tako.toml").symlink_to("real.toml")
    commit = bed.commit()
    assert (await bed.make()).version == commit
    bed.write({"real.toml": "two"})
    assert (await bed.make()).version != commit


async def test_settings_from_another_file_leave_tako_toml_alone(bed: Bed) -> None:
    commit = bed.write({"src": "1", "tako.toml": "one", "qa.toml": "one", ".takoignore": "*.toml\n"}).commit()
    bed.write({"tako.toml": "two"})
    assert (await bed.make(config="qa.toml")).version == commit
    bed.write({"qa.toml": "two"})
    assert (await bed.make(config="qa.toml")).version != commit
