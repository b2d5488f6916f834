"""Self-signed certificates for TLS servers: a TURN server under test, a hub in a local network."""

import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

_VALID = datetime.timedelta(days=1)


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


def fingerprint(certificate: str) -> str:
    """Return a certificate's SHA-256 fingerprint as browsers show it: ``AB:CD:…``."""
    digest = x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return the TLS context of a server with a certificate and its key, in PEM.

    OpenSSL reads them from a file, which only this user can read and which is deleted at once.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory(prefix="jamlab-") as folder:
        both = Path(folder) / "both.pem"
        both.write_text(certificate + key, encoding="ascii")
        context.load_cert_chain(both)
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
