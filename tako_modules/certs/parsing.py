"""Reading certificates and keys that others made. Heavy: import it late."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from .pair import BadPair, Details, Pair

__all__ = ["examine", "load_chain", "load_key"]


def load_chain(text: str) -> list[x509.Certificate]:
    """Read all certificates of a PEM text, at least one; raises BadPair."""
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise BadPair("it holds no certificate that can be read (PEM)") from error


def load_key(text: str) -> PrivateKeyTypes:
    """Read a private key that is not encrypted; raises BadPair."""
    try:
        return serialization.load_pem_private_key(text.encode(), password=None)
    except TypeError as error:
        raise BadPair(
            "the key is encrypted: a server cannot ask for its passphrase",
            hint="write it without one: `openssl pkey -in privkey.pem -out plain.pem`",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadPair("it holds no private key that can be read (PEM)") from error


def examine(pair: Pair) -> Details:
    """Tell what a pair is for; raises BadPair when its key is another certificate's or its chain is out of order."""
    leaf, *issuers = load_chain(pair.chain)
    public = load_key(pair.key).public_key()
    if public != leaf.public_key():
        if any(public == issuer.public_key() for issuer in issuers):
            raise BadPair("the chain is out of order", hint="put the host's own certificate first")
        raise BadPair("the key does not belong to the certificate", hint="put both files of the same certificate there")
    names = _names(leaf)
    if not names:
        raise BadPair("the certificate names no host (it has no subject alternative name)")
    return Details(
        names=names, begins=leaf.not_valid_before_utc.timestamp(), expires=leaf.not_valid_after_utc.timestamp()
    )


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    hosts = [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)]
    addresses = [str(address) for address in extension.value.get_values_for_type(x509.IPAddress)]
    return tuple(dict.fromkeys(hosts + addresses))
