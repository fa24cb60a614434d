"""Making keys and certificates: P-256 and SHA-256, which every client of today accepts. Heavy: import it late."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Signer", "certificate_pem", "key_pem", "new_key", "new_leaf", "new_root"]

SKEW = timedelta(hours=1)  # a certificate begins earlier than now, for clients whose clock is behind
COMMON_NAME_LIMIT = 64  # characters, RFC 5280 ub-common-name; longer hosts stand in the alternative names alone


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs a certificate: an authority's certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a private key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Write a private key as PKCS #8."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def certificate_pem(certificate: x509.Certificate) -> str:
    """Write one certificate."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def new_root(name: str, key: ec.EllipticCurvePrivateKey, *, now: float, days: int) -> x509.Certificate:
    """Make an authority's own certificate, good for signing hosts' certificates and nothing else; now: wall time."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:COMMON_NAME_LIMIT])])
    begins, expires = _span(now, days)
    return (
        _builder(subject, subject, key)
        .not_valid_before(begins)
        .not_valid_after(expires)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def new_leaf(
    names: Sequence[str], key: ec.EllipticCurvePrivateKey, signer: Signer | None, *, now: float, days: int
) -> x509.Certificate:
    """Make a host's certificate; without a signer it signs itself. It never outlives its signer. now: wall time."""
    common = [x509.NameAttribute(NameOID.COMMON_NAME, names[0])] if len(names[0]) <= COMMON_NAME_LIMIT else []
    subject = x509.Name(common)
    begins, expires = _span(now, days)
    builder = (
        _builder(subject, signer.certificate.subject if signer else subject, key)
        .not_valid_before(begins)
        .not_valid_after(min(expires, signer.certificate.not_valid_after_utc) if signer else expires)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=not common)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    if signer is None:
        return builder.sign(key, hashes.SHA256())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    return builder.add_extension(authority, critical=False).sign(signer.key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _span(now: float, days: int) -> tuple[datetime, datetime]:
    start = datetime.fromtimestamp(int(now), UTC)
    return start - SKEW, start + timedelta(days=days)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
