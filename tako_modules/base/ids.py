"""Names that are made, not chosen: deployment ids, system users, random tokens."""

import hashlib
import re
import secrets

from .text import NAME

__all__ = ["DEPLOYMENT_ID", "VERSION", "app_user", "deployment_id", "split_deployment_id", "token"]

DEPLOYMENT_ID = re.compile(rf"(?:{NAME.pattern})(?:\.(?:{NAME.pattern}))?")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # one path component, never starting with a dot
PRODUCTION = "production"


def deployment_id(app: str, env: str) -> str:
    """Name a deployment on a server: the app itself in production, `app.env` in any other environment."""
    return app if env == PRODUCTION else f"{app}.{env}"


def split_deployment_id(ident: str) -> tuple[str, str]:
    """Tell app and environment of a deployment id."""
    app, _, env = ident.partition(".")
    return app, env or PRODUCTION


def app_user(ident: str) -> str:
    """Name the system user that a deployment's processes run as: `tako-` and 8 hex digits."""
    return "tako-" + hashlib.sha256(ident.encode()).hexdigest()[:8]


def token(size: int = 8) -> str:
    """Make an unguessable hex token of `size` bytes."""
    return secrets.token_hex(size)
