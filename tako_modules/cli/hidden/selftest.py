"""`__selftest__`: does this file run here? Imports every library and native module, and uses the ones that matter."""

import json
import ssl
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path

from tako_modules import BUILD, VERSION

__all__ = ["LIBRARIES", "NATIVES", "run"]

LIBRARIES = (
    "anyio",
    "asyncssh",
    "bcrypt",
    "click",
    "cryptography",
    "idna",
    "markdown_it",
    "mdurl",
    "msgspec",
    "pathspec",
    "pip",
    "pygments",
    "rich",
    "tomli",
    "tomlkit",
    "typing_extensions",
)
NATIVES = ("_cffi_backend", "bcrypt._bcrypt", "cryptography.hazmat.bindings._rust", "msgspec._core")
STANDARD = ("asyncio", "ctypes", "ssl", "sqlite3", "zlib")  # a cut-down Python may lack them
NAME = "selftest.localhost"


def run(arguments: list[str]) -> int:
    """Print {build, version, python, platform, runtime, modules, checks, failures} as JSON; returns 1 on a failure."""
    acts = {name: partial(import_module, name) for name in (*STANDARD, *NATIVES, *LIBRARIES)} | CHECKS
    failures = {name: reason for name, act in acts.items() if (reason := _failure(act))}
    report = {
        "build": BUILD,
        "version": VERSION,
        "python": sys.version.split()[0],
        "platform": sys.platform,
        "runtime": str(Path(__file__).parents[3]),
        "modules": [*NATIVES, *LIBRARIES],
        "checks": list(CHECKS),
        "failures": failures,
    }
    print(json.dumps(report, indent=2))
    return 1 if failures else 0


def _failure(act: Callable[[], object]) -> str:
    try:
        act()
    except Exception as error:  # noqa: BLE001 - a self-test tells every failure, whatever it is
        return f"{type(error).__name__}: {error}"
    return ""


def tls() -> None:
    """Make a certificate and shake hands with ourselves in memory."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + secret)
        file.flush()
        server.load_cert_chain(file.name)
    client = ssl.create_default_context(cadata=certificate.decode())
    _shake_hands(server, client)


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=NAME),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):  # a handshake takes two turns of each side
        sides = [side for side in sides if not _shaken(side)]
        if not sides:
            return
    raise ssl.SSLError("the handshake came to no end")


def _shaken(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def aes() -> None:
    """Seal and open with AES-256-GCM, as the secrets file does."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key, nonce = AESGCM.generate_key(256), bytes(12)
    assert AESGCM(key).decrypt(nonce, AESGCM(key).encrypt(nonce, b"secret", b"name"), b"name") == b"secret"


def messages() -> None:
    """Write and read a typed message."""
    import msgspec

    codec = msgspec.json.Decoder(dict[str, list[int]])
    assert codec.decode(msgspec.json.encode({"a": [1, 2]})) == {"a": [1, 2]}


def ssh() -> None:
    """Make an SSH key and sign with it."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")
    signature = key.sign(b"data", b"ssh-ed25519")
    assert key.convert_to_public().verify(b"data", signature)


CHECKS: dict[str, Callable[[], object]] = {"tls": tls, "aes": aes, "messages": messages, "ssh": ssh}
