"""Wires to working and broken servers on real sockets of this machine."""

import asyncio
import contextlib
import datetime
import socket
import ssl

import pytest

from jamlab.certificate import self_signed
from jamlab.networks.model.packet import TCP, UDP
from jamlab.networks.turn.fault import Fault, ServerFaultError
from jamlab.networks.turn.wire import TLS, open_wire
from tests.leaks import DEADLINE_S, until
from tests.networks.turn.independent_client import BINDING, REQUEST, message

pytestmark = pytest.mark.usefixtures("nothing_left")
HOST = "127.0.0.1"
MESSAGE = message(BINDING, REQUEST)
NOW = datetime.datetime.now(datetime.UTC)


def opened(address, transport, **options):
    options = {"timeout_s": DEADLINE_S} | options
    return open_wire(*address, transport, **options)


async def fault(address, transport, **options):
    """Return what ends a wire that has sent one message."""
    with pytest.raises(ServerFaultError) as caught:
        await exhaust(address, transport, **options)
    return caught.value


async def exhaust(address, transport, **options):
    async with opened(address, transport, **options) as wire:
        wire.send(MESSAGE)
        while True:
            await wire.receive()


@contextlib.asynccontextmanager
async def stream_server(answer, tls=None):
    """Serve streams: what `answer(data)` returns is sent, and None closes the connection."""

    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(9999):
                reply = answer(data)
                if reply is None:
                    break
                writer.write(reply)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, HOST, 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()


@contextlib.contextmanager
def udp_socket():
    with socket.socket(type=socket.SOCK_DGRAM) as bound:
        bound.bind((HOST, 0))
        yield bound


def closed_port(kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as bound:
        bound.bind((HOST, 0))
        return bound.getsockname()


def certificate(folder, now=NOW, addresses=(HOST,)):
    """Return contexts of a server with a certificate made now, and of a client that trusts it."""
    paths = folder / "certificate.pem", folder / "key.pem"
    for path, text in zip(paths, self_signed(addresses, now), strict=True):
        path.write_text(text)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*paths)
    return server, ssl.create_default_context(cafile=paths[0])


async def test_datagrams_go_there_and_back():
    with udp_socket() as server:
        async with opened(server.getsockname(), UDP) as wire:
            wire.send(MESSAGE)
            data, source = server.recvfrom(99)
            assert (data, source) == (MESSAGE, wire.local)
            server.sendto(b"anything", source)
            assert await wire.receive() == b"anything"
            assert not wire.is_reliable


async def test_a_stream_is_cut_into_messages():
    async with stream_server(lambda data: data + data) as address, opened(address, TCP) as wire:
        wire.send(MESSAGE)
        assert [await wire.receive(), await wire.receive()] == [MESSAGE, MESSAGE]
        assert wire.is_reliable


async def test_tls_with_a_certificate_that_is_trusted(tmp_path):
    server, client = certificate(tmp_path)
    echoing = stream_server(lambda data: data, server)
    async with echoing as address, opened(address, TLS, tls=client) as wire:
        wire.send(MESSAGE)
        assert await wire.receive() == MESSAGE


async def test_the_file_of_ssl_cert_file_is_trusted(tmp_path, monkeypatch):
    server, _ = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    async with stream_server(lambda data: data, server) as address, opened(address, TLS) as wire:
        wire.send(MESSAGE)
        assert await wire.receive() == MESSAGE


@pytest.mark.parametrize("transport", [UDP, TCP, TLS])
async def test_a_closed_port_refuses(transport):
    kind = socket.SOCK_DGRAM if transport == UDP else socket.SOCK_STREAM
    assert (await fault(closed_port(kind), transport)).fault is Fault.REFUSED


async def test_a_connection_that_is_closed():
    async with stream_server(lambda _: None) as address:
        assert (await fault(address, TCP)).fault is Fault.CLOSED


async def test_a_stream_of_something_else():
    async with stream_server(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        assert (await fault(address, TCP)).fault is Fault.NOT_STUN


async def test_a_certificate_nobody_vouches_for(tmp_path):
    server, _ = certificate(tmp_path)
    async with stream_server(lambda data: data, server) as address:
        found = await fault(address, TLS)
        assert (found.fault, found.detail) == (Fault.UNTRUSTED, "self-signed certificate")


async def test_a_certificate_that_has_expired(tmp_path):
    server, client = certificate(tmp_path, NOW - datetime.timedelta(days=9))
    async with stream_server(lambda data: data, server) as address:
        found = await fault(address, TLS, tls=client)
        assert found.fault is Fault.UNTRUSTED
        assert "expired" in found.detail


async def test_a_certificate_for_another_name(tmp_path):
    server, client = certificate(tmp_path, addresses=("192.0.2.7",))
    async with stream_server(lambda data: data, server) as address:
        found = await fault(address, TLS, tls=client)
        assert found.fault is Fault.UNTRUSTED
        assert HOST in found.detail


@pytest.mark.parametrize("answer", [lambda _: b"SSH-2.0-OpenSSH\r\n", lambda _: None])
async def test_tls_where_there_is_none(answer):
    async with stream_server(answer) as address:
        assert (await fault(address, TLS)).fault is Fault.NO_TLS


async def test_a_name_that_is_none():
    for name in ("turn.invalid", "a..b", "x" * 70):
        found = await fault((name, 3478), UDP)
        assert found.fault in (Fault.NO_NAME, Fault.NO_RESOLVER)
    await asyncio.get_running_loop().shutdown_default_executor()  # names are looked up on a thread


async def test_a_server_that_takes_no_connection_is_silent():
    """The queue of a listener that accepts nobody is filled first."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind((HOST, 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        found = await fault(listener.getsockname(), TCP, timeout_s=0.05)
        assert found.fault is Fault.SILENT


@pytest.mark.parametrize("transport", [UDP, TCP, TLS])
@pytest.mark.parametrize("turns", [0, 1, 5, 20])
async def test_cancelled_at_any_time_it_leaves_nothing(transport, turns):
    """The system takes the connection, and nobody ever says anything."""
    kind = socket.SOCK_DGRAM if transport == UDP else socket.SOCK_STREAM
    with socket.socket(type=kind) as silent:
        silent.bind((HOST, 0))
        if transport != UDP:
            silent.listen()
        waiting = asyncio.create_task(exhaust(silent.getsockname(), transport))
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_nobody_fills_the_memory_with_what_was_not_asked_for():
    with udp_socket() as server:
        async with opened(server.getsockname(), UDP) as wire:
            for _ in range(500):
                server.sendto(b"x", wire.local)
            await until(lambda: wire._inbox.qsize() == 64)


async def test_what_broke_stays_broken():
    async with stream_server(lambda _: None) as address, opened(address, TCP) as wire:
        wire.send(MESSAGE)
        for _ in range(2):
            with pytest.raises(ServerFaultError):
                await wire.receive()
