"""A real coturn for tests, on free ports of this machine, and a certificate made on the spot."""

import asyncio
import shutil
import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.leaks import until

HOST = "127.0.0.1"
needs_coturn = pytest.mark.skipif(
    shutil.which("turnserver") is None, reason="coturn is missing: apt-get install -y coturn"
)


def certificate(folder, name="localhost", *, expired=False):
    """Write a self-signed certificate for `HOST` and a name, and its key; returns both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    ends = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address(HOST))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=9))
        .not_valid_after(ends)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def free_port():
    """Return a port that is free over UDP and TCP."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind((HOST, 0))
            try:
                datagrams.bind(stream.getsockname())
            except OSError:
                continue
            return stream.getsockname()[1]


@asynccontextmanager
async def coturn(folder, *flags, port=None):
    """Run coturn with users ``jam:right`` in realm ``lab``; yields its ports, plain and TLS."""
    port, tls_port = port or free_port(), free_port()
    fixed = (
        "-n",
        "--no-cli",
        "--no-dtls",
        "--log-file",
        "stdout",
        "--simple-log",
        "--realm",
        "lab",
    )
    where = ("--listening-ip", HOST, "--relay-ip", HOST, "--listening-port", port)
    own = ("--tls-listening-port", tls_port, "--userdb", folder / "db", "--pidfile", folder / "pid")
    with (folder / "coturn.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "turnserver",
            *map(str, (*fixed, *where, *own, *flags)),
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        listening = psutil.Process(process.pid)
        await until(lambda: _has(listening, port), "for coturn to listen")
        yield port, tls_port
    finally:
        process.kill()
        await process.wait()


def _has(process, port):
    kinds = {c.type for c in process.net_connections("inet") if c.laddr.port == port}
    return kinds == {socket.SOCK_DGRAM, socket.SOCK_STREAM}
