"""The hub: a signalling server with Supabase Realtime's protocol, on WebSockets.

`rooms` decides which messages to send; here are the sockets, the clock and the key. A message is
written to all its sockets without waiting: unread messages stay in the client's own buffer, up to a
limit for each sender (`backlog`).
"""

import asyncio
import logging
import math
import random
import secrets
import signal
import ssl
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Any, NamedTuple, Self

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from jamlab.process.open_files import allow_open_files
from jamlab.process.signals import ENDING, on_signals
from jamlab.signaling.hub.actions import Action, Close, HubCounters, Ping, Send
from jamlab.signaling.hub.addresses import host_names, in_url, local_host
from jamlab.signaling.hub.backlog import OWN, Backlog
from jamlab.signaling.hub.connection import Anteroom, HubConnection
from jamlab.signaling.hub.handshake import (
    PATH,
    Door,
    HubError,
    check_key,
    is_for_socket,
    network_of,
    refuse,
    version_of,
)
from jamlab.signaling.hub.limits import Limits
from jamlab.signaling.hub.pages import Site
from jamlab.signaling.hub.phoenix import Version, encode
from jamlab.signaling.hub.quiet_log import QuietLog
from jamlab.signaling.hub.rooms import Rooms

PING_INTERVAL_S, PING_TIMEOUT_S = 5.0, 5.0
"""Interval of pings to a client, and time limit for its pong."""

CLOSE_TIMEOUT_S = 1.0
"""Time limit for a client's part of the closing handshake."""

KEY_VARIABLE = "JAMLAB_HUB_KEY"
"""Environment variable of the key for `jamlab serve`."""

_LEFT = (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY)
"""Close codes of clients that leave."""

_OTHER_FILES = 64

log = logging.getLogger(__name__)


class _Client(NamedTuple):
    connection: ServerConnection
    version: Version
    backlog: Backlog


class Hub:
    """Signalling server, open while its context lasts; for one context.

    Port 0 chooses a free one. Clients must send `key`, by default a random one; a client without a
    pong after `ping_timeout_s` is removed. `allow_hosts` are host names allowed in requests besides
    `host` and the addresses it listens at, e.g. that of a proxy. `allow_origins` are origins whose
    web pages may be clients besides those of its own host, e.g. ``https://example.org:8000``.
    `site` answers plain HTTP requests; without one they get 404. With a `tls` context the hub
    speaks only TLS.

    Raises `HubError` if the key is empty, or short although other machines can reach the hub, or a
    host or origin is invalid; on entering the context, if the address cannot be used.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str | None = None,
        limits: Limits | None = None,
        *,
        allow_hosts: Iterable[str] = (),
        allow_origins: Iterable[str] = (),
        site: Site | None = None,
        tls: ssl.SSLContext | None = None,
        ping_interval_s: float = PING_INTERVAL_S,
        ping_timeout_s: float = PING_TIMEOUT_S,
    ) -> None:
        self.key = secrets.token_hex(16) if key is None else key
        check_key(self.key, host)
        self.host = host
        self.port = port
        """The port; when 0 was given, known once the hub is open."""
        self._door = Door.new(self.key, [*host_names(host), *allow_hosts], allow_origins)
        self._site = site
        self._tls = tls
        limits = limits or Limits()
        self._rooms = Rooms(limits, random.SystemRandom())
        self._anteroom = Anteroom(limits.waiting, limits.of_address(limits.waiting))
        self._pings_s = ping_interval_s, ping_timeout_s
        self._clients: dict[int, _Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._server: Server | None = None

    def __repr__(self) -> str:
        return f"Hub({self.url!r})"

    @property
    def url(self) -> str:
        """URL for Realtime clients on this machine, which append ``/websocket``."""
        return self.url_at(local_host(self.host))

    def url_at(self, host: str) -> str:
        """Return the URL for Realtime clients that reach the hub by a host."""
        return f"{'wss' if self._tls else 'ws'}://{in_url(host)}:{self.port}{PATH}"

    def page_at(self, host: str) -> str:
        """Return the URL of the hub's page, for browsers that reach it by a host."""
        return f"{'https' if self._tls else 'http'}://{in_url(host)}:{self.port}/"

    @property
    def most_files(self) -> int:
        """Most files that are open at once: a socket for each client, and others."""
        limits = self._rooms.limits
        return limits.sockets + limits.waiting + _OTHER_FILES

    @property
    def counters(self) -> HubCounters:
        """Counters of the hub."""
        return self._rooms.counters

    async def __aenter__(self) -> Self:
        limits = self._rooms.limits
        make: Any = partial(HubConnection, anteroom=self._anteroom)  # typed as a class
        try:
            self._server = await serve(
                self._attend,
                self.host,
                self.port,
                process_request=self._check_request,
                create_connection=make,
                logger=QuietLog(logging.getLogger(__name__)),
                ssl=self._tls,
                ssl_handshake_timeout=PING_TIMEOUT_S if self._tls else None,
                compression=None,  # costs memory for each client, and signals are short
                max_size=2 * limits.message_bytes,
                open_timeout=PING_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                ping_interval=self._pings_s[0],
                ping_timeout=self._pings_s[1],
            )
        except (OSError, OverflowError, UnicodeError) as error:
            raise HubError(
                f"the hub cannot listen at {self.host}, port {self.port} ({error}): choose another"
            ) from None
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every socket and end. Twice is harmless."""
        if self._server is None:
            return
        self._anteroom.clear()
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._tasks)

    # Clients

    def _check_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a plain request, or refuse a client before its socket opens."""
        try:
            return self._answer(connection, request)
        except Exception:
            log.exception("an error of the hub: it refuses a request")
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            return refuse(connection, status, "the hub has an error: its log says more")

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        address = connection.local_address[0]
        if self._site is not None and not is_for_socket(request):
            return self._site.answer(connection, request, address, self._door)
        refused = self._door.refusal(connection, request, address)
        network = network_of(connection.remote_address[0])
        if refused is None and not self._rooms.has_space_for(network):
            return refuse(connection, HTTPStatus.TOO_MANY_REQUESTS, "Too many connected users")
        return refused

    async def _attend(self, connection: ServerConnection) -> None:
        """Serve one client until its socket closes."""
        assert isinstance(connection, HubConnection)
        self._anteroom.leave(connection)
        assert connection.request is not None  # known once the socket is open
        backlog = Backlog(self._rooms.limits)
        client = _Client(connection, version_of(connection.request), backlog)
        address = network_of(connection.remote_address[0])
        number = self._rooms.connect(client.version, address, self._now_s())
        self._clients[number] = client
        try:
            while (message := await connection.read()) is not None:
                frame, frames = message
                self._do(self._rooms.receive(number, frame, self._now_s(), frames))
                await asyncio.sleep(0)  # a client that sends much must not delay the others
        except ConnectionClosed:
            pass
        except Exception:
            log.exception("an error of the hub: it drops the client")
            await connection.close(CloseCode.INTERNAL_ERROR)
        finally:
            del self._clients[number]
            left = connection.close_code in _LEFT
            self._do(self._rooms.disconnect(number, self._now_s(), left=left))

    # Actions

    def _do(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Send():
                    self._send(action)
                case Close(number, code, reason) if number in self._clients:
                    connection = self._clients[number].connection
                    self._start(connection.close(code, reason))
                case Ping(number) if number in self._clients:
                    self._start(self._ping(number, self._clients[number].connection))
        self._set_timer(self._rooms.next_at_s())

    def _send(self, action: Send) -> None:
        clients = [self._clients[n] for n in action.sockets if n in self._clients]
        for version in {client.version for client in clients}:
            frame = encode(action.message, version)
            if frame is not None:
                same = [client for client in clients if client.version is version]
                self._write(frame, same, action.sender)

    def _write(self, frame: str | bytes, clients: Iterable[_Client], sender: int) -> None:
        """Write a frame to the clients whose backlog from its sender allows it."""
        length = len(frame if isinstance(frame, bytes) else frame.encode())
        takers = []
        for client in clients:
            client.backlog.drain(client.connection.transport.get_write_buffer_size())
            if sender == OWN or client.backlog.takes(sender, length):
                client.backlog.add(sender, length)
                takers.append(client)
            else:
                self.counters.withheld += 1
        broadcast((client.connection for client in takers), frame)
        for client in takers:
            transport = client.connection.transport
            if client.backlog.is_too_long and not transport.is_closing():
                self.counters.slow += 1
                transport.abort()

    async def _ping(self, number: int, connection: ServerConnection) -> None:
        try:
            await (await connection.ping())
        except ConnectionClosed:
            return
        self._do(self._rooms.answer(number))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _set_timer(self, at_s: float) -> None:
        """Set the only timer: call `advance` at a time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if math.isfinite(at_s):
            # in a task, so that pongs read in the same turn of the loop are handled first
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(at_s, lambda: self._start(self._advance()))

    async def _advance(self) -> None:
        self._do(self._rooms.advance(self._now_s()))

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


async def run_hub(hub: Hub, invite: Callable[[Hub], None]) -> None:
    """Run a hub until SIGINT, SIGTERM or SIGHUP; call `invite` with it once it is open.

    Raises `HubError` if the hub cannot listen at its address.
    """
    allow_open_files(hub.most_files)
    stop = asyncio.Event()
    async with hub:
        with on_signals((signal.SIGINT, *ENDING), stop.set):
            invite(hub)
            await stop.wait()
