"""UDP and TCP ends for tests, on real sockets."""

import asyncio
from contextlib import asynccontextmanager

from tests.leaks import DEADLINE_S
from tests.networks.turn import independent_client as c

LOCALHOST = "127.0.0.1"


class Datagrams(asyncio.DatagramProtocol):
    """A UDP socket whose datagrams can be awaited."""

    def __init__(self):
        self._received = asyncio.Queue()
        self.closed = asyncio.get_running_loop().create_future()
        self.source = None

    def connection_made(self, transport):
        self.transport = transport
        self.address = transport.get_extra_info("sockname")

    def datagram_received(self, data, addr):
        self._received.put_nowait((data, addr))

    def connection_lost(self, exc):
        self.closed.set_result(None)

    def send(self, data, destination):
        self.transport.sendto(data, destination)

    async def receive(self):
        async with asyncio.timeout(DEADLINE_S):
            data, self.source = await self._received.get()
        return data

    async def ask(self, data, destination):
        self.send(data, destination)
        return await self.receive()


@asynccontextmanager
async def calling():
    loop = asyncio.get_running_loop()
    transport, caller = await loop.create_datagram_endpoint(Datagrams, local_addr=(LOCALHOST, 0))
    try:
        yield caller
    finally:
        transport.close()
        await caller.closed


class Stream:
    """A TCP connection read message by message."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.address = writer.get_extra_info("sockname")

    def send(self, data, _destination=None):
        self.writer.write(data + bytes(-len(data) % 4))

    async def receive(self):
        async with asyncio.timeout(DEADLINE_S):
            head = await self.reader.readexactly(4)
            length = int.from_bytes(head[2:], "big")
            rest = length + (0 if head[0] & 0xC0 else 16)
            body = await self.reader.readexactly(rest + -rest % 4)
        return head + body[:rest]

    async def ask(self, data, destination=None):
        self.send(data, destination)
        return await self.receive()

    async def ended(self):
        async with asyncio.timeout(DEADLINE_S):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True


@asynccontextmanager
async def connected(address):
    stream = Stream(*await asyncio.open_connection(*address))
    try:
        yield stream
    finally:
        stream.writer.transport.abort()
        await asyncio.wait([asyncio.ensure_future(stream.writer.wait_closed())])


async def allocate(caller, server, *attributes, account=None):
    """Have a relay opened; return its address and the account with the nonce to go on with."""
    account = account or c.Account()
    request = c.message(c.ALLOCATE, c.REQUEST, [c.UDP_TRANSPORT])
    account.nonce = c.read(await caller.ask(request, server)).attributes[c.NONCE]
    request = account.request(c.ALLOCATE, c.UDP_TRANSPORT, *attributes)
    answer = c.read(await caller.ask(request, server))
    assert answer.class_ == c.SUCCESS, answer.code
    assert answer.address(c.XOR_MAPPED_ADDRESS) == caller.address
    return answer.address(c.XOR_RELAYED_ADDRESS), account
