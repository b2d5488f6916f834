"""Fake routers on the loopback, each at an address of its own: datagrams and HTTP."""

import asyncio
import contextlib
import itertools
import os
from contextlib import asynccontextmanager

from jamlab.networks.port_mapping.mapping import Route

OWN = "127.0.0.1"
_numbers = itertools.count(1)


def new_route():
    """Return a route to a router at an address that no other test of any process has."""
    number = next(_numbers)
    assert number < 254
    return Route(f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}.{number}", OWN)


class Datagrams(asyncio.DatagramProtocol):
    """Answers each request with all datagrams that `answer(request)` yields."""

    def __init__(self, answer):
        self.requests = []
        self.sources = []
        self._answer = answer

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.requests.append(data)
        self.sources.append(addr)
        for datagram in self._answer(data):
            self.transport.sendto(datagram, addr)


@asynccontextmanager
async def datagrams(route, port, answer):
    """Answer at a port of the router while the context lasts; yield the protocol."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Datagrams(answer), local_addr=(route.router, port)
    )
    try:
        yield protocol
    finally:
        transport.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def http(route, respond):
    """Serve HTTP at the router while the context lasts; yield its port.

    `respond(method, path, body)` returns the bytes of a whole response, or a coroutine function
    that is given the writer.
    """

    serving = set()

    async def serve(reader, writer):
        serving.add(asyncio.current_task())
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, _ = head.split(" ", 2)
            lengths = [line for line in head.split("\r\n") if line.lower().startswith("content-l")]
            length = int(lengths[0].partition(":")[2]) if lengths else 0
            body = (await reader.readexactly(length)).decode()
            response = respond(method, path, body)
            if isinstance(response, bytes):
                writer.write(response)
                await writer.drain()
            else:
                await response(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # asyncio's server complains of a handler that is cancelled
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, route.router, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def ok(body, status="200 OK", *headers):
    """Return an HTTP response."""
    content = body if isinstance(body, bytes) else body.encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content
