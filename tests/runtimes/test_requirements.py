"""Every requirement has a hash, or the deploy says which one has not."""

from pathlib import Path

import pytest

from tako_modules.base.errors import ConfigError
from tako_modules.runtimes.requirements import check_hashes

H = "--hash=sha256:" + "0" * 64

GOOD = {
    "empty": "",
    "one line": f"a==1 {H}\n",
    "continued": f"a==1 \\\n    {H} \\\n    {H}\n    # via b\nb==2 ; python_version > '3' \\\n  {H}\n",
    "options": f"--index-url https://example.com/simple\n-i x\n--only-binary :all:\na==1 {H}\n",
    "constraints": f"-c constraints.txt\na==1 {H}\n",
    "comments": f"# head\na==1 {H}  # why\n\n   # tail",
    "windows": f"a==1 \\\r\n    {H}\r\n",
    "no last line end": f"a==1 \\\n {H}",
    "a link": f"a @ https://example.com/a-1-py3-none-any.whl {H}",
    "byte order mark": f"\ufeffa==1 {H}",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_hashes_are_enough(tmp_path: Path, text: str) -> None:
    (tmp_path / "requirements.txt").write_bytes(text.encode())
    check_hashes(tmp_path)


BAD = {
    "no hash": ("flask\n", "requirements.txt:1: 1 requirements have no hash: flask"),
    "one of two": (f"a==1 {H}\n\nb==2\n", "requirements.txt:3: 1 requirements have no hash: b==2"),
    "many": ("a\nb\nc\nd\n", "requirements.txt:1: 4 requirements have no hash: a, b, c …"),
    "hash in a comment": (f"a==1  # {H}\n", "requirements.txt:1: 1 requirements"),
    "continued": ("a==1 \\\n  ; python_version > '3'\n", "requirements.txt:1: 1 requirements"),
    "editable": ("-e .\n", "requirements.txt:1: an editable requirement"),
    "editable long": ("--editable=.\n", "requirements.txt:1: an editable requirement"),
    "local folder": ("./lib\n", "requirements.txt:1: 1 requirements have no hash: ./lib"),
    "included": ("-r base.txt\n", "base.txt:2: 1 requirements have no hash: x"),
    "included from a folder": ("--requirement sub/more.txt\n", "sub/deep.txt:1: 1 requirements have no hash: y"),
    "included from outside": ("-r ../other.txt\n", "cannot read ../other.txt"),
    "included but missing": ("-r gone.txt\n", "cannot read gone.txt"),
    "circle": ("-r requirements.txt\n", "includes files more than"),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD.keys())
def test_what_is_missing_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "requirements.txt").write_text(text)
    (tmp_path / "base.txt").write_text("# base\nx\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/more.txt").write_text("-r deep.txt")
    (tmp_path / "sub/deep.txt").write_text("y")
    with pytest.raises(ConfigError) as caught:
        check_hashes(tmp_path)
    assert words in caught.value.message


@pytest.mark.parametrize("source", ["requirements.in", "pyproject.toml"])
def test_the_remedy_is_a_command(tmp_path: Path, source: str) -> None:
    (tmp_path / source).write_text("")
    (tmp_path / "requirements.txt").write_text("flask")
    with pytest.raises(ConfigError) as caught:
        check_hashes(tmp_path)
    assert f"uv pip compile --generate-hashes {source} -o requirements.txt" in caught.value.hint
