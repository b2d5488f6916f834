"""Trust of OpenSSL in the certificate, by address and time."""

import datetime
import ssl

import pytest

from jamlab.networks.kernel.certificate import self_signed

NOW = datetime.datetime.now(datetime.UTC)


def handshake(tmp_path, name, now=NOW, trusted=None):
    """Let OpenSSL's client and server talk to each other in memory."""
    certificate, key = self_signed(["198.18.0.3", "198.18.0.4"], now)
    (tmp_path / "both.pem").write_text(certificate + key)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(tmp_path / "both.pem")
    client_context = ssl.create_default_context(cadata=trusted or certificate)
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(down, up, server_hostname=name)
    server = server_context.wrap_bio(up, down, server_side=True)
    ends = {client, server}
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)
    return client.version()


@pytest.mark.parametrize("address", ["198.18.0.3", "198.18.0.4"])
def test_a_client_verifies_the_server_by_its_address(tmp_path, address):
    assert handshake(tmp_path, address) == "TLSv1.3"


def test_another_address_is_not_the_server(tmp_path):
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        handshake(tmp_path, "198.18.0.5")


def test_another_certificate_is_not_trusted(tmp_path):
    other, _ = self_signed(["198.18.0.3"], NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, "198.18.0.3", trusted=other)


@pytest.mark.parametrize("days", [-2, 2])
def test_it_is_valid_for_a_day_before_and_after(tmp_path, days):
    with pytest.raises(ssl.SSLCertVerificationError, match=r"expired|not yet valid"):
        handshake(tmp_path, "198.18.0.3", NOW + datetime.timedelta(days=days))
