"""A TURN server on the running loop's sockets."""

import asyncio
import contextvars
import random
from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Self, cast

from jamlab.networks.model.packet import TCP, UDP, Address
from jamlab.networks.stun.endpoint import Endpoint, cannot_listen, open_endpoint
from jamlab.networks.turn.actions import (
    Action,
    Client,
    CloseRelay,
    OpenRelay,
    ToClient,
    ToPeer,
    TurnCounters,
)
from jamlab.networks.turn.core import TurnCore
from jamlab.networks.turn.stream import StreamError, TurnStream

_TRIES = 5
"""Attempts to find a port that is free for both UDP and TCP."""


class TurnServer:
    """Relay UDP for clients over UDP or TCP while the context lasts (RFC 8656).

    Port 0 takes any free port, the same for UDP and TCP. The relayed addresses are on `relay_host`,
    by default `host`. Give `random.SystemRandom` as `rng` for a server that other machines can
    reach. The other parameters are those of `TurnControl`. On entering the context, raises OSError
    if the address is not available.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 3478,
        *,
        users: Mapping[str, str],
        rng: random.Random,
        relay_host: str | None = None,
        realm: str = "jamlab",
        transports: Collection[str] = (UDP, TCP),
        quota: int | None = None,
        nonce_lifetime_s: float = 600.0,
    ) -> None:
        self.address: Address = host, port
        """The address on which the server listens."""
        self.core = TurnCore(
            users, realm=realm, rng=rng, quota=quota, nonce_lifetime_s=nonce_lifetime_s
        )
        """The protocol, with the current `allocations`."""
        self._relay_host = relay_host or host
        self._transports = transports
        self._udp: Endpoint | None = None
        self._listener: asyncio.Server | None = None
        self._connections: dict[Client, _Connection] = {}
        self._relays: dict[Client, _Relay] = {}
        self._closed = False

    @property
    def counters(self) -> TurnCounters:
        """Counts of messages and relayed datagrams."""
        return self.core.counters

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        try:
            await self._open(tries=_TRIES)
        except BaseException:  # a cancellation leaves sockets open, too
            await self._close()
            raise
        return self

    async def _open(self, tries: int) -> None:
        """Listen; a random port that is free for UDP but not for TCP is replaced by another."""
        asked = self.address
        if UDP in self._transports:
            self._udp = await open_endpoint(self.address, self._datagram, self.counters)
            self.address = self._udp.address
        if TCP not in self._transports:
            return
        try:
            await self._listen()
        except OSError:
            if self._udp is None or asked == self.address or tries == 1:
                raise
            self._udp.close()
            await self._udp.wait_closed()
            self.address = asked
            await self._open(tries - 1)

    async def _listen(self) -> None:
        host, port = self.address
        try:
            self._listener = await self._loop.create_server(lambda: _Connection(self), host, port)
        except OSError as error:
            raise cannot_listen("TCP", self.address, error) from error
        if port == 0:
            self.address = self._listener.sockets[0].getsockname()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        self._closed = True
        opened: list[_Relay | _Connection | Endpoint]
        opened = [*self._relays.values(), *self._connections.values()]
        if self._udp is not None:
            opened.append(self._udp)
        if self._listener is not None:
            self._listener.close()
        for one in opened:
            one.close()
        for one in opened:
            await one.wait_closed()
        if self._listener is not None:
            await self._listener.wait_closed()

    def _datagram(self, data: bytes, source: Address, _local: Address) -> None:
        self._receive(data, Client(source, UDP))

    def _receive(self, data: bytes, client: Client) -> None:
        self._do(self.core.receive(data, client, self._loop.time()))

    def _receive_from_peer(self, data: bytes, peer: Address, client: Client) -> None:
        action = self.core.receive_from_peer(data, peer, client, self._loop.time())
        if action is None:
            return
        connection = self._connections.get(client)
        if connection is not None and connection.is_full:
            self.counters.unsendable += 1
        else:
            self._do([action])

    def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case ToPeer(client, peer, payload):
                    self._relays[client].send(payload, peer)
                case ToClient(client, payload):
                    self._send(payload, client)
                case OpenRelay(client, even):
                    self._relays[client] = _Relay(self, client, even)
                case CloseRelay(client):
                    self._relays.pop(client).close()

    def _send(self, payload: bytes, client: Client) -> None:
        if client.transport == TCP:
            self._connections[client].write(payload)
        elif self._udp is not None:
            self._udp.send(payload, client.address)


class _Relay:
    """The relayed address of one client, from its opening to the end of the allocation."""

    def __init__(self, server: TurnServer, client: Client, even: bool) -> None:
        self._server = server
        self._client = client
        self._even = even
        self._endpoint: Endpoint | None = None
        self._timer: asyncio.TimerHandle | None = None
        # In the server's context, which determines the host on a simulated loop.
        self._opening = server._loop.create_task(self._open(), context=server._context)

    async def _open(self) -> None:
        server, client = self._server, self._client
        try:
            self._endpoint = await self._open_endpoint()
        except OSError:
            del server._relays[client]
            server._do(server.core.relay_failed(client))
            return
        relayed = self._endpoint.address
        server._do(server.core.relay_opened(client, relayed, server._loop.time()))
        self._await_expiry()

    async def _open_endpoint(self) -> Endpoint:
        local, counters = (self._server._relay_host, 0), self._server.counters
        endpoint = await open_endpoint(local, self._received, counters)
        if not self._even or endpoint.address[1] % 2 == 0:
            return endpoint
        try:  # the odd port stays open meanwhile, so that the system gives out another one
            return await self._open_endpoint()
        finally:
            endpoint.close()

    def _await_expiry(self) -> None:
        expires_s = self._server.core.allocations[self._client].expires_s
        self._timer = self._server._loop.call_at(expires_s, self._expire)

    def _expire(self) -> None:
        actions = self._server.core.expire(self._client, self._server._loop.time())
        if actions:
            self._server._do(actions)
        else:  # it was refreshed since the timer was set
            self._await_expiry()

    def _received(self, data: bytes, peer: Address, _local: Address) -> None:
        self._server._receive_from_peer(data, peer, self._client)

    def send(self, payload: bytes, peer: Address) -> None:
        if self._endpoint is not None:
            self._endpoint.send(payload, peer)

    def close(self) -> None:
        self._opening.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._endpoint is not None:
            self._endpoint.close()

    async def wait_closed(self) -> None:
        await asyncio.wait([self._opening])
        if self._endpoint is not None:
            await self._endpoint.wait_closed()


class _Connection(asyncio.Protocol):
    """A client's connection over TCP."""

    def __init__(self, server: TurnServer) -> None:
        self.is_full = False
        """Whether the client reads too slowly, so that its data is dropped, as over UDP."""
        self._server = server
        self._stream = TurnStream()
        self._closed = server._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("peername")[:2]
        self._client = Client((host, port), TCP)
        self._server._connections[self._client] = self
        if self._server._closed:  # accepted just before the listener was closed
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._stream.feed(data):
                self._server._receive(message, self._client)
        except StreamError:
            self._server.counters.malformed += 1
            self._transport.close()

    def pause_writing(self) -> None:
        self.is_full = True
        self._transport.pause_reading()  # or a client could send requests without reading responses

    def resume_writing(self) -> None:
        self.is_full = False
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        del self._server._connections[self._client]
        self._server._do(self._server.core.client_lost(self._client))
        self._closed.set_result(None)

    def write(self, payload: bytes) -> None:
        self._transport.write(payload)

    def close(self) -> None:
        self._transport.abort()

    async def wait_closed(self) -> None:
        await self._closed
