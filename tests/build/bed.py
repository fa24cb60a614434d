"""A project folder that tests fill, and its builds."""

import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tako_modules.build.artifact import Artifact, make
from tako_modules.model.project import Project, Service
from tako_modules.workspace.project import FILE

__all__ = ["Bed", "names"]


class Bed:
    """One project: files in, artifacts out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, files: Mapping[str, str | bytes]) -> "Bed":
        """Write files by their relative path."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def git(self, *words: str) -> str:
        """Run git in the folder."""
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
        done = subprocess.run(["git", *who, *words], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self) -> str:
        """Put everything into the repository, made when missing; gives the short commit."""
        if not (self.folder / ".git").exists():
            self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "--short=7", "HEAD")

    async def make(
        self,
        build: str | None = None,
        *,
        runtime: str = "command",
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        main: str = "",
        variables: dict[str, str] | None = None,
        config: str = "",
        seen: Callable[[str], None] | None = None,
    ) -> Artifact:
        """Make the artifact of a project that is started by a command; seen: takes the lines of the build."""
        self.lines = []
        project = Project(
            name="shop",
            runtime=runtime,
            main=main,
            vars=variables or {},
            build=build,
            include=include,
            exclude=exclude,
            services=(Service(start=("./run",)),),
        )
        config = config or (FILE if (self.folder / FILE).exists() else "")
        return await make(project, self.folder, seen or self.lines.append, config=config)


def names(artifact: Artifact) -> list[str]:
    """List what an artifact holds."""
    with tarfile.open(artifact.path) as tar:
        return tar.getnames()
