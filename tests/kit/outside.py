"""What a container is given of the machine it runs on: where packages come from, and whom to trust for it.

The project names no registry; whatever pip, npm, uv, apt and TLS are told on this machine holds in the container too.
Settings are copied, folders that they name are mounted for reading.
"""

import configparser
import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Outside", "archive", "look"]

PREFIXES = ("PIP_", "UV_", "NPM_CONFIG_", "npm_config_")
NAMES = {
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
}  # fmt: skip
NOT_PASSED = {
    "PIP_CONFIG_FILE",
    "PIP_CACHE_DIR",
    "UV_CACHE_DIR",
    "NPM_CONFIG_CACHE",
    "npm_config_cache",
}  # this machine's own
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
AUTHORITIES = Path("/usr/local/share/ca-certificates")  # `update-ca-certificates` in the container keeps them
LOCAL_PATH = re.compile(r"(?:^|[\s,])(?:file://)?(/[^\s,]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Settings to carry over: variables, files by their path in the container, folders to mount at their own path."""

    env: Mapping[str, str]
    files: Mapping[str, bytes]
    mounts: tuple[str, ...]


def look() -> Outside:
    """Read what this machine is told."""
    env = {name: value for name, value in os.environ.items() if _passed(name) and "\n" not in value}
    pip = _pip_settings()
    files = {"/etc/environment": _assignments(env), "/etc/default/tako": _assignments(env)}
    if pip:
        files["/etc/pip.conf"] = pip.encode()
    if (acquire := _apt_settings()) is not None:
        files["/etc/apt/apt.conf.d/90outside"] = acquire
    if BUNDLE.exists():
        files[str(BUNDLE)] = BUNDLE.read_bytes()
    if AUTHORITIES.is_dir():
        files |= {str(path): path.read_bytes() for path in AUTHORITIES.rglob("*.crt")}
    npm = Path.home() / ".npmrc"
    if npm.exists():
        files["/root/.npmrc"] = npm.read_bytes()
    return Outside(env=env, files=files, mounts=tuple(sorted(_folders([*env.values(), pip]))))


def archive(files: Mapping[str, bytes]) -> bytes:
    """Pack files for `docker cp`: root's own, readable by all but for what lies in /root/.ssh."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size = len(content)
            entry.mode = 0o600 if path.startswith("/root/") else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _passed(name: str) -> bool:
    return name not in NOT_PASSED and (name in NAMES or name.startswith(PREFIXES))


def _assignments(env: Mapping[str, str]) -> bytes:
    """Write NAME="value" lines, as systemd and pam_env read them."""
    quoted = {name: re.sub(r'(["\\$`])', r"\\\1", value) for name, value in env.items()}
    return "".join(f'{name}="{value}"\n' for name, value in quoted.items()).encode()


def _pip_settings() -> str:
    """Merge pip's files as pip does: the machine's, then the user's, then the one named by PIP_CONFIG_FILE."""
    home = Path.home()
    places = [
        *(Path(folder) / "pip" / "pip.conf" for folder in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")),
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf",
        *([Path(named)] if (named := os.environ.get("PIP_CONFIG_FILE")) else []),
    ]
    merged = configparser.RawConfigParser()
    merged.read([place for place in places if place.is_file()], encoding="utf-8")
    for section in merged.sections():
        merged.remove_option(section, "cache-dir")
    written = io.StringIO()
    merged.write(written)
    return written.getvalue()


def _apt_settings() -> bytes | None:
    """Give apt's rules for fetching (proxies, dates), without this machine's folders."""
    if shutil.which("apt-config") is None:
        return None
    dumped = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    return "".join(f"{line}\n" for line in dumped.splitlines() if line.startswith("Acquire::")).encode()


def _folders(texts: list[str]) -> Iterator[str]:
    """Name the local folders and files that settings point to; an index's `simple` lies beside its files."""
    for text in texts:
        for found in LOCAL_PATH.findall(text.replace("=", " ")):
            path = Path(found)
            if path == BUNDLE or not path.exists() or path.is_relative_to("/etc"):
                continue
            yield str(path.parent if path.name == "simple" else path)
