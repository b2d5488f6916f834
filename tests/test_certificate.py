"""Trust of OpenSSL in the certificate, by address and time."""

import datetime
import hashlib
import ssl
import tempfile
from pathlib import Path

import cryptography.x509
import pytest
from cryptography.hazmat.primitives import serialization

from jamlab.certificate import (
    CertificateError,
    fingerprint,
    is_self_signed,
    read_certificate,
    self_signed,
    server_context,
)

NAMES = ["198.18.0.3", "198.18.0.4", "2001:db8::7", "studio.local"]
NOW = datetime.datetime.now(datetime.UTC)


def handshake(name, now=NOW, trusted=None):
    """Let OpenSSL's client and server talk to each other in memory."""
    certificate, key = self_signed(NAMES, now)
    client_context = ssl.create_default_context(cadata=trusted or certificate)
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(down, up, server_hostname=name)
    server = server_context(certificate, key).wrap_bio(up, down, server_side=True)
    ends = {client, server}
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)
    return client.version()


@pytest.mark.parametrize("name", NAMES)
def test_a_client_verifies_the_server_by_each_name(name):
    assert handshake(name) == "TLSv1.3"


def test_another_address_is_not_the_server():
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        handshake("198.18.0.5")


def test_another_certificate_is_not_trusted():
    other, _ = self_signed(["198.18.0.3"], NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake("198.18.0.3", trusted=other)


@pytest.mark.parametrize("days", [-2, 2])
def test_it_is_valid_for_a_day_before_and_after(days):
    with pytest.raises(ssl.SSLCertVerificationError, match=r"expired|not yet valid"):
        handshake("198.18.0.3", NOW + datetime.timedelta(days=days))


def test_its_validity_is_the_caller_s():
    certificate, _ = self_signed(NAMES, NOW, datetime.timedelta(days=30))
    lasts = cryptography.x509.load_pem_x509_certificate(certificate.encode())
    assert lasts.not_valid_after_utc - lasts.not_valid_before_utc == datetime.timedelta(days=60)


def test_the_fingerprint_is_the_digest_of_its_bytes():
    certificate, _ = self_signed(NAMES, NOW)
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()
    assert fingerprint(certificate).replace(":", "").lower() == digest


def test_the_key_stays_in_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server_context(*self_signed(NAMES, NOW))
    assert list(tmp_path.iterdir()) == []


def test_files_are_read_and_used(tmp_path):
    certificate, key = self_signed(NAMES, NOW)
    both, public, private = (tmp_path / name for name in ("both", "public", "private"))
    both.write_text(key + certificate)
    public.write_text(certificate)
    private.write_text(key)
    for files in (both, None), (public, private):
        assert read_certificate(*files, NOW) == (certificate, key)
    server_context(*read_certificate(both, None, NOW))
    assert is_self_signed(certificate)


def test_a_chain_stays_whole(tmp_path):
    (one, key), (other, _) = self_signed(NAMES, NOW), self_signed(NAMES, NOW)
    file = tmp_path / "chain"
    file.write_text(one + other + key)
    assert read_certificate(file, None, NOW) == (one + other, key)


def encrypted(key):
    password = serialization.BestAvailableEncryption(b"secret")
    private = serialization.load_pem_private_key(key.encode(), None)
    form = serialization.PrivateFormat.PKCS8
    return private.private_bytes(serialization.Encoding.PEM, form, password).decode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda certificate, _key: certificate, "has no private key in PEM"),
        (lambda _certificate, key: key, "has no certificate in PEM"),
        (lambda certificate, key: certificate + encrypted(key), "is encrypted"),
        (lambda certificate, _key: certificate + self_signed(NAMES, NOW)[1], "not that of the"),
        (lambda certificate, key: certificate[:200] + key, "has no certificate in PEM"),
        (lambda _certificate, _key: "", "has no certificate in PEM"),
        (lambda _certificate, _key: "\xff", "has no certificate in PEM"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, words):
    file = tmp_path / "mine.pem"
    file.write_text(content(*self_signed(NAMES, NOW)), encoding="latin-1")
    with pytest.raises(CertificateError, match=words):
        read_certificate(file, None, NOW)


@pytest.mark.parametrize("days", [-2, 2])
def test_a_certificate_out_of_its_time(tmp_path, days):
    file = tmp_path / "mine.pem"
    file.write_text("".join(self_signed(NAMES, NOW)))
    with pytest.raises(CertificateError, match="renew it"):
        read_certificate(file, None, NOW + datetime.timedelta(days=days))


def test_a_file_without_end_is_refused():
    with pytest.raises(CertificateError, match="cannot be read: it is longer than 1 MiB"):
        read_certificate(Path("/dev/zero"), None, NOW)
