"""A peer of a TURN allocation, and the round-trip time between peer and client."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from jamlab.networks.model.packet import Address
from jamlab.networks.stun.endpoint import Endpoint, open_endpoint
from jamlab.networks.turn.client import TurnClient
from jamlab.networks.turn.fault import Fault, ServerFaultError

_FIRST_WAIT_S = 0.5  # doubles, like the retransmission timeout of STUN
_PAYLOAD_BYTES = 16
_MOST_WAITING = 64


class Peer(Protocol):
    """A sender and receiver of datagrams: a socket, or the client of another allocation."""

    def send(self, data: bytes, peer: Address, /) -> None:
        """Send to an address."""
        ...

    async def receive(self) -> tuple[bytes, Address]:
        """Return a datagram and its source."""
        ...


class _SocketPeer:
    """A UDP socket of this machine."""

    def __init__(self) -> None:
        self.endpoint: Endpoint
        self.unsendable = 0
        self._inbox: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue(_MOST_WAITING)

    def came(self, data: bytes, source: Address, _local: Address) -> None:
        if not self._inbox.full():
            self._inbox.put_nowait((data, source))

    def send(self, data: bytes, peer: Address) -> None:
        self.endpoint.send(data, peer)

    async def receive(self) -> tuple[bytes, Address]:
        return await self._inbox.get()


@asynccontextmanager
async def open_socket_peer(host: str) -> AsyncIterator[Peer]:
    """Open a UDP socket at an address of this machine while the context lasts."""
    peer = _SocketPeer()
    peer.endpoint = await open_endpoint((host, 0), peer.came, peer)
    try:
        yield peer
    finally:
        peer.endpoint.close()
        await peer.endpoint.wait_closed()


async def relay_round_trip_s(
    peer: Peer, client: TurnClient, relayed: Address, *, timeout_s: float
) -> float:
    """Send a datagram from a peer through an allocation to its client, and back.

    Return the round-trip time of the first datagram that comes back, in seconds. The peer sends
    first, so that its NAT lets the answer in; the client has a permission for the peer's host.
    `timeout_s` limits all attempts. Raises `ServerFaultError` if no datagram comes back, or the
    wire to the server breaks.
    """
    wait_s = _FIRST_WAIT_S
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    async with asyncio.timeout(wait_s):
                        return await _there_and_back_s(peer, client, relayed)
                except TimeoutError:
                    wait_s *= 2
    except TimeoutError:
        raise ServerFaultError(Fault.NOT_RELAYED, f"{relayed[0]}:{relayed[1]}") from None


async def _there_and_back_s(peer: Peer, client: TurnClient, relayed: Address) -> float:
    loop, payload = asyncio.get_running_loop(), secrets.token_bytes(_PAYLOAD_BYTES)
    began_s = loop.time()
    peer.send(payload, relayed)
    client.send(payload, await _arrival(client, payload))
    await _arrival(peer, payload)
    return loop.time() - began_s


async def _arrival(at: Peer, payload: bytes) -> Address:
    """Wait until a payload arrives; return its source."""
    while True:
        data, source = await at.receive()
        if data == payload:
            return source
