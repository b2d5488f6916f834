"""Self-signed certificates for TLS servers: a TURN server under test, a hub in a local network."""

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from jamlab.process.temporary_folder import temporary_folder
from jamlab.resources import read_small

_VALID = datetime.timedelta(days=1)

T = TypeVar("T")


class CertificateError(ValueError):
    """A certificate or its private key cannot be used; the message says why."""


def self_signed(
    names: Sequence[str], now: datetime.datetime, valid: datetime.timedelta = _VALID
) -> tuple[str, str]:
    """Return a certificate and its private key, in PEM.

    A client that trusts this certificate can verify the server by its IP addresses and host names
    (RFC 5280). `now` has a time zone; the certificate is valid for `valid` before and after it.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "jamlab")])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - valid)
        .not_valid_after(now + valid)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName(list(_general_names(names))), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.decode(), private.decode()


def read_certificate(
    certificate: Path, key: Path | None, now: datetime.datetime
) -> tuple[str, str]:
    """Return a certificate with its chain, and its private key, in PEM, from files.

    Without a file of the key it is in that of the certificate. Raises `CertificateError` if they
    cannot be used.
    """
    chain = _read(certificate, "certificate", x509.load_pem_x509_certificates)
    private = _read(key or certificate, "private key", _load_key)
    if not chain[0].not_valid_before_utc <= now <= chain[0].not_valid_after_utc:
        first, last = chain[0].not_valid_before_utc, chain[0].not_valid_after_utc
        raise CertificateError(
            f"the certificate in {certificate} is valid from {first:%Y-%m-%d} to {last:%Y-%m-%d} "
            "only: renew it"
        )
    if private.public_key() != chain[0].public_key():
        raise CertificateError(
            f"the private key in {key or certificate} is not that of the certificate: give its own"
        )
    written = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in chain), written.decode()


def _read(file: Path, what: str, load: Callable[[bytes], T]) -> T:
    try:
        return load(read_small(file))
    except OSError as error:
        raise CertificateError(f"{file} cannot be read: {error.strerror}") from None
    except TypeError:
        raise CertificateError(f"the {what} in {file} is encrypted: give it without") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(f"{file} has no {what} in PEM: give a file that has one") from None


def _load_key(data: bytes) -> CertificateIssuerPrivateKeyTypes:
    key = load_pem_private_key(data, None)
    if not isinstance(
        key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    ):
        raise ValueError("a key of a kind that no browser takes")
    return key


def is_self_signed(certificate: str) -> bool:
    """Return whether a certificate is self-signed: then clients have to be told to trust it."""
    read = x509.load_pem_x509_certificate(certificate.encode())
    return read.issuer == read.subject


def fingerprint(certificate: str) -> str:
    """Return a certificate's SHA-256 fingerprint as browsers show it: ``AB:CD:…``."""
    digest = x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return the TLS context of a server with a certificate and its key, in PEM.

    OpenSSL reads them from a file, which only this user can read and which is deleted at once.
    Raises `CertificateError` if OpenSSL refuses them, for example a short key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with temporary_folder("certificate") as folder:
        both = folder / "both.pem"
        both.write_text(certificate + key, encoding="ascii")
        try:
            context.load_cert_chain(both)
        except ssl.SSLError as error:
            reason = f"OpenSSL refuses the certificate ({error.reason}): give another"
            raise CertificateError(reason) from None
    return context


def _general_names(names: Sequence[str]) -> Iterator[x509.GeneralName]:
    for name in names:
        try:
            yield x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            yield x509.DNSName(name)


def _usage() -> x509.KeyUsage:
    """Return the key's usage: signatures, also of the certificate itself."""
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
