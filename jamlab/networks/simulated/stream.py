"""Streams on a simulated network: the part of TCP that TURN over TCP needs.

Segments travel as packets, so NATs, firewalls and links treat them like any packet. The receiver
restores their order. Links never lose a segment (`jamlab.networks.simulated.line`), so there is no
retransmission, no window and no congestion control: a stream over a lossy or slow link looks better
here than in reality. A segment that a NAT or a firewall drops is lost for good.

A segment has one byte for its kind, eight for its number in the stream, and the data. Each end
sends a FIN when it closes. The end that closes first keeps its port until the other's FIN arrives,
so that late segments are not answered with a reset. A received FIN closes the stream in both
directions: there are no half-closed streams.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from jamlab.networks.model.packet import TCP, Address, Packet
from jamlab.networks.simulated.host import as_sockets_have_it, unspecified_for
from jamlab.networks.simulated.segment import DATA, FIN, HEADER, RESET, SYN, SYN_ACK, reset_for

if TYPE_CHECKING:
    from jamlab.networks.simulated.host import Host

CONNECT_TIMEOUT_S = 75.0
"""How long a connection attempt without an answer lasts (RFC 9293 §3.8.3 asks for 60 s or more)."""


async def connect(
    host: Host, protocol_factory: Callable[[], Any], remote: Address
) -> tuple[StreamTransport, Any]:
    """Open a stream; raises OSError for a closed port (ECONNREFUSED) or no answer (ETIMEDOUT)."""
    local = host.free_address(TCP, unspecified_for(remote))
    transport = StreamTransport(host, protocol_factory(), local, remote)
    host.bind(TCP, transport.local, transport)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await transport.opened()
    except TimeoutError as error:
        raise OSError(errno.ETIMEDOUT, f"no answer from {remote[0]}:{remote[1]}") from error
    return transport, transport.protocol


class StreamTransport(asyncio.Transport):
    """The asyncio transport of one end of a stream."""

    def __init__(self, host: Host, protocol: Any, local: Address, remote: Address) -> None:
        super().__init__(
            {"sockname": as_sockets_have_it(local), "peername": as_sockets_have_it(remote)}
        )
        self.local = local
        self.remote = remote
        self.protocol = protocol
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._answer: asyncio.Future[None] = self._loop.create_future()
        self._open = False
        self._closing = False
        self._other_closed = False
        self._sent = 0
        self._expected = 0
        self._early: dict[int, Packet] = {}
        self._forget: Callable[[StreamTransport], None] = self._release

    async def opened(self) -> None:
        """Send a SYN, and wait for its answer; close when cancelled."""
        self._send(SYN)
        try:
            await self._answer
        except BaseException:
            self.close()
            raise

    def accepted_by(self, server: StreamServer) -> None:
        """Become the server's end, and send the client a SYN-ACK."""
        self._forget = server.forget
        self._send(SYN_ACK)
        self._established()

    def write(self, data: Any) -> None:
        """Send data; it arrives complete and in order."""
        if data and not self._closing:
            self._send(DATA, self._sent, bytes(data))
            self._sent += 1

    def is_closing(self) -> bool:
        """Return whether `close` was called, or the other end closed."""
        return self._closing

    def close(self) -> None:
        """Close both directions; data written before still arrives."""
        if not self._open:
            self._forget(self)
        elif not self._closing:
            self._send(FIN, self._sent)
            self._end(None)

    def abort(self) -> None:
        """Close."""
        self.close()

    def receive(self, packet: Packet) -> None:
        """Take a segment of this stream."""
        kind, number = HEADER.unpack_from(packet.payload)
        self._other_closed = self._other_closed or kind in (FIN, RESET)
        if self._closing:
            if self._other_closed:
                self._forget(self)
        elif kind == SYN_ACK and not self._answer.done():
            self._answer.set_result(None)
            self._established()
        elif kind == RESET:
            self._reset()
        elif kind in (DATA, FIN) and number >= self._expected:
            self._early[number] = packet
            self._deliver()

    def _established(self) -> None:
        self._open = True
        self._context.run(self.protocol.connection_made, self)
        self._deliver()

    def _deliver(self) -> None:
        while self._open and not self._closing and self._expected in self._early:
            segment = self._early.pop(self._expected).payload
            self._expected += 1
            if segment[0] == FIN:
                self.close()
            else:
                self._hand_over(segment[HEADER.size :])

    def _hand_over(self, data: bytes) -> None:
        try:
            self._context.run(self.protocol.data_received, data)
        except Exception as error:
            message = "a protocol failed on data it received, so its stream is closed"
            self._loop.call_exception_handler(
                {"message": message, "exception": error, "protocol": self.protocol}
            )
            self.close()

    def _reset(self) -> None:
        if self._open:
            reset = f"{self.remote[0]}:{self.remote[1]} has reset the connection"
            self._end(ConnectionResetError(errno.ECONNRESET, reset))
        elif not self._answer.done():
            closed = f"no program listens at {self.remote[0]}:{self.remote[1]}"
            self._answer.set_exception(ConnectionRefusedError(errno.ECONNREFUSED, closed))

    def _end(self, error: Exception | None) -> None:
        self._closing = True
        self._early.clear()
        self._loop.call_soon(self.protocol.connection_lost, error, context=self._context)
        if self._other_closed:
            self._forget(self)

    def _release(self, _transport: StreamTransport) -> None:
        self._host.release(TCP, self.local)

    def _send(self, kind: int, number: int = 0, data: bytes = b"") -> None:
        segment = HEADER.pack(kind, number) + data
        self._host.send(Packet(self.local, self.remote, segment, TCP))


class _Listening(NamedTuple):
    """Replaces a listening socket in `StreamServer.sockets`."""

    local: Address

    def getsockname(self) -> Address:
        return self.local


class StreamServer:
    """A port that accepts streams, with the part of `asyncio.Server` in use here."""

    def __init__(self, host: Host, protocol_factory: Callable[[], Any], local: Address) -> None:
        self.sockets = (_Listening(local),)
        """The listening socket, as on a real server."""
        self._host = host
        self._protocol_factory = protocol_factory
        self._local = local
        self._context = contextvars.copy_context()
        self._streams: dict[Address, StreamTransport] = {}
        self._listening = True
        host.bind(TCP, local, self)

    def receive(self, packet: Packet) -> None:
        """Pass a segment to its stream, accept a new one, or answer with a reset."""
        stream = self._streams.get(packet.source)
        if stream is not None:
            stream.receive(packet)
        elif packet.payload[0] == SYN and self._listening:
            self._context.run(self._accept, packet.source)
        elif (refusal := reset_for(packet)) is not None:
            self._host.send(refusal)

    def _accept(self, client: Address) -> None:
        stream = StreamTransport(self._host, self._protocol_factory(), self._local, client)
        self._streams[client] = stream
        stream.accepted_by(self)

    def forget(self, stream: StreamTransport) -> None:
        """Remove a closed stream; free the port after the last stream of a closed server."""
        self._streams.pop(stream.remote, None)
        if not self._listening and not self._streams:
            self._host.release(TCP, self._local)

    def close(self) -> None:
        """Accept no new streams; open streams continue, as on a real server."""
        self._listening = False
        if not self._streams:
            self._host.release(TCP, self._local)

    async def wait_closed(self) -> None:
        """Return at once: closing takes no time."""

    def is_serving(self) -> bool:
        """Return whether new streams are accepted."""
        return self._listening
