import asyncio
import json
from contextlib import AsyncExitStack, suppress
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from jamlab.signaling.hub import server
from jamlab.signaling.hub.connection import MAX_HEAD, status_of
from jamlab.signaling.hub.limits import Limits
from jamlab.signaling.hub.server import Hub
from tests.examples import examples

pytestmark = pytest.mark.usefixtures("nothing_left")

GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"


async def answer(hub, request):
    """Return the status, the headers and the body of the answer to a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    line, *headers = head.decode().split("\r\n")
    return int(line.split()[1]), dict(header.split(": ", 1) for header in headers), body


@pytest.mark.parametrize("path", ["/api/broadcast", "/realtime/v1/api/broadcast?x=1", "/other"])
@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "HEAD", "GET"])
async def test_there_is_no_rest(nothing_left, path, method):
    async with Hub() as hub:
        body = b'{"messages":[]}' if method in ("POST", "PUT") else b""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        request = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n".encode() + body
        status, headers, said = await answer(hub, request)
        assert status == 404
        assert headers["Connection"] == "close"
        assert (said == b"") == (method == "HEAD")
        assert method == "HEAD" or json.loads(said)["error"]


async def test_a_request_may_come_in_pieces(nothing_left):
    async with Hub() as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        for piece in (b"PO", b"ST /api/broad", b"cast HTTP/1.1\r", b"\nHost: 127.0.0.1\r\n\r\n{}"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.readline()).split()[1] == b"404"
        await reader.read()
        writer.close()
        await writer.wait_closed()


async def connected(hub):
    return await asyncio.open_connection("127.0.0.1", hub.port)


async def tried(hub):
    """Return the status of the answer to a request; None for a connection that was ended."""
    reader, writer = await connected(hub)
    writer.write(GET + b"\r\n")
    try:
        return (await reader.read()).partition(b" ")[2][:3] or None
    except ConnectionError:
        return None
    finally:
        writer.close()


async def test_few_connections_of_an_address_may_wait(nothing_left):
    async with Hub(limits=Limits(waiting=4)) as hub:
        waiting = [await connected(hub), await connected(hub)]
        for _, writer in waiting:
            writer.write(b"GET / HT")
        reader, writer = await connected(hub)
        with suppress(ConnectionError):
            assert await reader.read() == b""  # the third of an address
        waiting[0][1].write(b"TP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await waiting[0][0].readline()).split()[1] == b"404"
        await waiting[0][0].read()
        async with asyncio.timeout(30):
            while (await tried(hub)) != b"404":  # until the hub has noted that it is gone
                pass
        for _, each in (*waiting, (reader, writer)):
            each.close()


async def test_an_open_socket_does_not_wait(nothing_left):
    async with Hub(limits=Limits(waiting=4)) as hub, AsyncExitStack() as stack:
        for _ in range(5):
            await stack.enter_async_context(connect(f"{hub.url}/websocket?apikey={hub.key}"))


async def test_a_hub_that_ends_waits_for_no_request(nothing_left, monkeypatch):
    monkeypatch.setattr(server, "PING_TIMEOUT_S", 3600.0)
    async with Hub() as hub:
        _, writer = await connected(hub)
        writer.write(b"GET / HT")
        assert (await answer(hub, GET + b"\r\n"))[0] == 404  # so the other has come in, too
    writer.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", 100),
        (b"GET / HT", 100),
        (GET, 100),
        (GET + b"\r\n", None),
        (b"POST / HTTP/1.1\r\n", 405),
        (b"POST /socket/websocket?apikey=x HTTP/1.1\r\n", 405),
        (b"POST /api/broadcast HTTP/1.1\r\n", 404),
        (b"GET / HTTP/1.0\r\n", 505),
        (b"GET / HTTP/2.0\r\n", 505),
        (b"hello\r\n", 400),
        (b"\x16\x03\x01\n", 400),
        (GET + b"Content-Length: 2\r\n\r\n{}", 400),
        (GET + b"Transfer-Encoding: chunked\r\n\r\n", 400),
        (GET + b"no colon\r\n\r\n", 400),
        (GET + b"X: y\r\n" * 200 + b"\r\n", 400),
        (b"x" * (MAX_HEAD + 1), 431),
    ],
)
def test_the_status_of_a_request(head, status):
    assert status_of(head) == (status and HTTPStatus(status))


@examples(200)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_have_a_status(data):
    for head in (data, GET + data):
        assert status_of(head) is None or status_of(head) in HTTPStatus
