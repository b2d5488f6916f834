"""Client connection to a STUN or TURN server: whole messages over UDP, TCP or TLS.

Received messages and socket errors wait in one queue in their order, because an error is an answer,
too. The UDP socket is connected, because the system reports a closed port (ICMP) to connected
sockets only.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from aioice import stun

from jamlab.networks.model.packet import UDP, Address
from jamlab.networks.turn.fault import Fault, ServerFaultError, fault_of
from jamlab.networks.turn.stream import StreamError, TurnStream

TLS = "tls"
"""STUN and TURN over TLS over TCP, besides `jamlab.networks.model.packet`'s UDP and TCP."""

_NO_STUN = 0x40  # the first two bits of a STUN message are zero (RFC 8489, section 5)
_MOST_WAITING = 64  # more than all pending responses; further messages are dropped


class Wire(asyncio.BaseProtocol):
    """Messages to and from a server."""

    is_reliable: bool
    """Whether the transport delivers every message or fails, and needs no retransmissions."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[bytes | ServerFaultError] = asyncio.Queue()
        self._closed = asyncio.get_running_loop().create_future()
        self._transport: Any

    @property
    def local(self) -> Address:
        """The local address."""
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def send(self, message: bytes) -> None:
        """Send a whole message."""
        raise NotImplementedError

    async def receive(self) -> bytes:
        """Return the next message.

        Raises `ServerFaultError` if the wire breaks, or received bytes are not messages.
        """
        received = await self._inbox.get()
        if isinstance(received, ServerFaultError):
            self._inbox.put_nowait(received)  # the error is final
            raise received
        return received

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio calls this)."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the socket is released (asyncio calls this)."""
        self._broke(exc or ConnectionResetError())
        self._closed.set_result(None)

    async def close(self) -> None:
        """Release the socket, at once."""
        self._transport.abort()
        await self._closed

    def _came(self, message: bytes) -> None:
        if self._inbox.qsize() < _MOST_WAITING:
            self._inbox.put_nowait(message)

    def _broke(self, error: Exception) -> None:
        known = fault_of(error) if isinstance(error, OSError) else None
        self._inbox.put_nowait(known or ServerFaultError(Fault.CLOSED, str(error)))


class _Datagrams(Wire, asyncio.DatagramProtocol):
    """A connected UDP socket."""

    is_reliable = False

    def send(self, message: bytes) -> None:
        self._transport.sendto(message)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._came(data)

    def error_received(self, exc: Exception) -> None:
        self._broke(exc)


class _Stream(Wire, asyncio.Protocol):
    """A TCP connection, with TLS or without."""

    is_reliable = True

    def __init__(self) -> None:
        super().__init__()
        self._stream = TurnStream()
        self._is_first = True

    def send(self, message: bytes) -> None:
        self._transport.write(message + bytes(stun.padding_length(len(message))))

    def data_received(self, data: bytes) -> None:
        try:
            self._check_first(data)
            for message in self._stream.feed(data):
                self._came(message)
        except StreamError as error:
            self._inbox.put_nowait(ServerFaultError(Fault.NOT_STUN, str(error)))
            self._transport.abort()

    def _check_first(self, data: bytes) -> None:
        """Refuse text, e.g. HTTP, that looks like ChannelData, which never comes before STUN."""
        if self._is_first and data[0] >= _NO_STUN:
            raise StreamError(f"it begins with {data[:16]!r}")
        self._is_first = False


@asynccontextmanager
async def open_wire(
    host: str,
    port: int,
    transport: str,
    *,
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
    local_host: str | None = None,
) -> AsyncIterator[Wire]:
    """Open a wire while the context lasts.

    The host is a name or IPv4 address, the transport ``"udp"``, ``"tcp"`` or ``"tls"``. `timeout_s`
    limits the name resolution, and again the connection. `tls` has the trusted certificates, by
    default the system's, or those of the file that ``SSL_CERT_FILE`` names. UDP is sent from
    `local_host`, by default the address of the route. Raises `ServerFaultError`, with the reason,
    if the connection fails.
    """
    address = await _resolved(host, port, transport, timeout_s)
    context = (tls or ssl.create_default_context()) if transport == TLS else None
    local = None if local_host is None else (local_host, 0)
    wire = await _connected(address, transport, timeout_s, context, host, local)
    try:
        yield wire
    finally:
        await wire.close()


async def _resolved(host: str, port: int, transport: str, timeout_s: float) -> Address:
    if _is_address(host):
        return host, port
    loop = asyncio.get_running_loop()
    kind = socket.SOCK_DGRAM if transport == UDP else socket.SOCK_STREAM
    try:
        async with asyncio.timeout(timeout_s):
            found = await loop.getaddrinfo(host, port, family=socket.AF_INET, type=kind)
    except TimeoutError:
        raise ServerFaultError(Fault.NO_RESOLVER) from None
    except UnicodeError:  # a name that cannot be encoded, e.g. with an empty label
        raise ServerFaultError(Fault.NO_NAME) from None
    except OSError as error:
        raise fault_of(error) from error
    return cast(Address, found[0][4][:2])


def _is_address(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


async def _connected(
    address: Address,
    transport: str,
    timeout_s: float,
    tls: ssl.SSLContext | None,
    name: str,
    local: Address | None,
) -> Wire:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            if transport == UDP:
                _, wire = await loop.create_datagram_endpoint(
                    _Datagrams, local_addr=local, remote_addr=address
                )
                return wire
            secured: dict[str, Any] = {"ssl": tls, "server_hostname": name} if tls else {}
            _, stream = await loop.create_connection(_Stream, *address, **secured)
            return stream
    except OSError as error:  # among them TimeoutError
        found = fault_of(error)
        if tls and found.fault is Fault.CLOSED:  # a server without TLS closes the connection
            found = ServerFaultError(Fault.NO_TLS, found.detail)
        raise found from error
