"""A UDP socket on the running loop that hands datagrams to a core without sockets."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeAlias, cast

from jamlab.networks.model.packet import Address

Receive: TypeAlias = Callable[[bytes, Address, Address], None]
"""Takes a datagram, its source, and the local address at which it arrived."""


class Counters(Protocol):
    """Counts that an endpoint keeps for its core."""

    unsendable: int


class Endpoint(asyncio.DatagramProtocol):
    """A UDP socket: send datagrams, pass received ones on, and wait for its release.

    `counters` counts the datagrams that the system refuses to send.
    """

    def __init__(self, receive: Receive, counters: Counters) -> None:
        self._receive = receive
        self._counters = counters
        self._transport: asyncio.DatagramTransport
        self._closed = asyncio.get_running_loop().create_future()
        self.address: Address
        self.error: Exception | None = None
        """The last error of sending."""

    def send(self, data: bytes, destination: Address) -> None:
        """Send a datagram."""
        self._transport.sendto(data, destination)

    def close(self) -> None:
        """Receive and send nothing from now on."""
        self._transport.close()

    async def wait_closed(self) -> None:
        """Wait until the socket is released."""
        await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio calls this)."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        host, port = transport.get_extra_info("sockname")[:2]
        self.address = host, port

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Pass a datagram on (asyncio calls this)."""
        self._receive(data, addr, self.address)

    def error_received(self, exc: Exception) -> None:
        """Count a datagram that could not be sent (asyncio calls this)."""
        self.error = exc
        self._counters.unsendable += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the socket is released (asyncio calls this)."""
        self._closed.set_result(None)


async def open_endpoint(local: Address, receive: Receive, counters: Counters) -> Endpoint:
    """Open an `Endpoint`; port 0 takes any free one. Raises OSError for an unavailable address."""
    loop = asyncio.get_running_loop()
    try:
        _, endpoint = await loop.create_datagram_endpoint(
            lambda: Endpoint(receive, counters), local_addr=local
        )
    except OSError as error:
        raise cannot_listen("UDP", local, error) from error
    return endpoint


def cannot_listen(transport: str, local: Address, error: OSError) -> OSError:
    """Return an error that names the unavailable address."""
    return OSError(
        error.errno,
        f"cannot listen for {transport} at {local[0]}:{local[1]} ({error.strerror}): "
        "choose an address of this machine and a free port",
    )
