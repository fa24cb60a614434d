"""The local authority: made once, kept safe, and what it issues is accepted by TLS clients that trust it."""

import ipaddress
import ssl
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from cryptography import x509

from tako_modules.base.errors import TakoError
from tako_modules.certs import authority, minting, parsing, selfsigned
from tako_modules.certs.authority import Authority
from tako_modules.certs.pair import Pair

NOW = 1_790_000_000.0
YEAR = 365 * 86400


def test_it_is_made_once_with_safe_modes(tmp_path: Path) -> None:
    folder = tmp_path / "home/ca"
    first = authority.open_authority(folder, now=NOW)
    again = authority.open_authority(folder, now=NOW + YEAR)
    assert first == again
    assert first.certificate == folder / "ca.crt"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "ca.crt", folder / "ca.key")}
    assert modes == {"ca": 0o700, "ca.crt": 0o644, "ca.key": 0o600}
    assert "PRIVATE" not in repr(first)


def test_a_key_that_others_could_read_is_closed_again(tmp_path: Path) -> None:
    authority.open_authority(tmp_path, now=NOW)
    (tmp_path / "ca.key").chmod(0o644)
    authority.open_authority(tmp_path, now=NOW)
    assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600


def test_two_first_starts_at_once_agree(tmp_path: Path) -> None:
    made: list[Authority] = []
    threads = [
        threading.Thread(target=lambda: made.append(authority.open_authority(tmp_path, now=NOW))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.fingerprint for each in made}) == 1
    assert len(made) == 4


def test_the_root_signs_hosts_and_nothing_else(tmp_path: Path) -> None:
    root = parsing.load_chain(authority.open_authority(tmp_path, now=NOW).root.chain)[0]
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    usage = root.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature
    assert root.not_valid_after_utc.timestamp() == NOW + 3650 * 86400
    root.verify_directly_issued_by(root)


def test_a_leaf_names_its_hosts_and_ends_after_its_days(tmp_path: Path) -> None:
    pair = authority.open_authority(tmp_path, now=NOW).issue(
        ("shop.localhost", "*.shop.localhost", "127.0.0.1"), now=NOW
    )
    details = parsing.examine(pair)
    assert details.names == ("shop.localhost", "*.shop.localhost", "127.0.0.1")
    assert (details.begins, details.expires) == (NOW - 3600, NOW + 90 * 86400)
    leaf, root = parsing.load_chain(pair.chain)
    leaf.verify_directly_issued_by(root)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]


def test_a_leaf_does_not_outlive_its_authority(tmp_path: Path) -> None:
    ours = authority.open_authority(tmp_path, now=NOW)
    late = NOW + 3650 * 86400 - 100 * 86400
    assert parsing.examine(ours.issue(("a.test",), now=late, days=300)).expires == NOW + 3650 * 86400


def test_a_host_longer_than_a_common_name_is_still_served() -> None:
    host = ".".join(["a" * 60] * 4)
    leaf = parsing.load_chain(selfsigned.issue((host,), now=NOW).chain)[0]
    assert parsing.examine(selfsigned.issue((host,), now=NOW)).names == (host,)
    assert leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """Do a TLS handshake in memory; raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for side in list(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)
    assert not sides


def _serving(folder: Path, pair: Pair) -> ssl.SSLContext:
    (folder / "chain").write_text(pair.chain)
    (folder / "key").write_text(pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain", folder / "key")
    return context


@pytest.mark.parametrize(
    ("host", "accepted"), [("shop.localhost", True), ("x.shop.localhost", True), ("other.localhost", False)]
)
def test_a_client_that_trusts_the_authority_accepts_its_hosts(tmp_path: Path, host: str, accepted: bool) -> None:
    import time

    ours = authority.open_authority(tmp_path, now=time.time())
    server = _serving(tmp_path, ours.issue(("shop.localhost", "*.shop.localhost"), now=time.time()))
    client = ssl.create_default_context(cafile=ours.certificate)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    if accepted:
        _handshake(server, client, host)
        return
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(server, client, host)


def test_openssl_verifies_the_chain_strictly(tmp_path: Path) -> None:
    import time

    ours = authority.open_authority(tmp_path, now=time.time())
    (tmp_path / "leaf").write_text(ours.issue(("shop.localhost",), now=time.time()).chain)
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ours.certificate, tmp_path / "leaf"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def _expire(folder: Path) -> float:
    return NOW + 3650 * 86400


def _lose_key(folder: Path) -> float:
    (folder / "ca.key").unlink()
    return NOW


def _change_key(folder: Path) -> float:
    (folder / "ca.key").write_text(minting.key_pem(minting.new_key()))
    return NOW


def _spoil(folder: Path) -> float:
    (folder / "ca.crt").write_text("what is this")
    return NOW


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(_expire, "expired", id="expired"),
        pytest.param(_lose_key, "ca.key is missing", id="key missing"),
        pytest.param(_change_key, "do not belong together", id="another key"),
        pytest.param(_spoil, "no certificate that can be read", id="no certificate"),
    ],
)
def test_a_damaged_authority_is_an_error_that_says_what_to_do(tmp_path: Path, spoil: object, words: str) -> None:
    authority.open_authority(tmp_path, now=NOW)
    assert callable(spoil)
    with pytest.raises(TakoError, match=words) as caught:
        authority.open_authority(tmp_path, now=spoil(tmp_path))
    assert f"remove {tmp_path}" in caught.value.hint


def test_a_crash_between_its_two_files_is_made_good(tmp_path: Path) -> None:
    authority.open_authority(tmp_path, now=NOW)
    (tmp_path / "ca.crt").unlink()
    authority.open_authority(tmp_path, now=NOW).issue(("a.test",), now=NOW)
