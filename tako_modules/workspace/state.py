"""What tako keeps in a project: the `.tako/` folder, ignored by git but for the encrypted secrets."""

from pathlib import Path

import msgspec

from tako_modules.base.files import disk_errors, write_atomic

__all__ = ["FOLDER", "State"]

FOLDER = ".tako"
_IGNORED = b"*\n!.gitignore\n!secrets\n"


class _Outputs(msgspec.Struct, frozen=True, kw_only=True):
    schema: str = "tako.outputs/1"
    files: dict[str, str] = {}


class State:
    """The `.tako/` folder of one project; anything in it but `secrets` may be deleted."""

    def __init__(self, project: Path) -> None:
        self.root = project / FOLDER

    @property
    def build(self) -> Path:
        """Where artifacts are kept."""
        return self.root / "build"

    @property
    def lock(self) -> Path:
        """The flock of whoever builds."""
        return self.root / "lock"

    def prepare(self) -> None:
        """Make the folders and the file that keeps them out of git; raises TakoError."""
        with disk_errors(f"write {FOLDER}/ in the project"):
            self.build.mkdir(parents=True, exist_ok=True)
            ignore = self.root / ".gitignore"
            if not ignore.exists():
                write_atomic(ignore, _IGNORED)

    def read_outputs(self) -> dict[str, str]:
        """Read which files the builds made: path → SHA-256; a lost or broken list is an empty one."""
        try:
            listed = msgspec.json.decode((self.build / "outputs.json").read_bytes(), type=_Outputs)
        except (OSError, msgspec.MsgspecError):
            return {}
        return dict(listed.files)

    def write_outputs(self, files: dict[str, str]) -> None:
        """Keep which files the builds made."""
        data = msgspec.json.format(msgspec.json.encode(_Outputs(files=dict(sorted(files.items())))), indent=1)
        with disk_errors(f"write {FOLDER}/build/outputs.json"):
            write_atomic(self.build / "outputs.json", data + b"\n")
