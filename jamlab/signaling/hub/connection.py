"""A client's connection to a hub: every HTTP request gets a status, and messages few frames.

The WebSocket library answers no request that it cannot read, such as a POST, and joins the frames
of a message without counting them.
"""

import asyncio
import re
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.streams import StreamReader

from jamlab.signaling.hub.handshake import is_socket_path, network_of, refuse

MAX_FRAMES = 256
"""Frames of the longest message: clients fragment long ones, in pieces of 4 KiB or more."""

MAX_HEAD = 64 * 1024
"""Bytes of the longest request."""

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) (HTTP/\d\.\d)\r?\n")
_END = re.compile(rb"\r?\n\r?\n")


class Anteroom:
    """Connections that have opened no WebSocket yet: few may, as each holds a file."""

    def __init__(self, most: int, most_of_address: int) -> None:
        self._most, self._most_of_address = most, most_of_address
        self._waiting: dict[HubConnection, str] = {}

    def enter(self, connection: "HubConnection", address: str) -> bool:
        """Let a connection from an address wait; return whether it may."""
        of_address = sum(each == address for each in self._waiting.values())
        if len(self._waiting) >= self._most or of_address >= self._most_of_address:
            return False
        self._waiting[connection] = address
        return True

    def leave(self, connection: "HubConnection") -> None:
        """Note that a connection no longer waits; one that did not is ignored."""
        self._waiting.pop(connection, None)

    def clear(self) -> None:
        """End all connections that wait."""
        for connection in [*self._waiting]:
            connection.transport.abort()


class HubConnection(ServerConnection):
    """Connection that answers each request, and limits the frames of a message."""

    def __init__(self, *args: Any, anteroom: Anteroom, **options: Any) -> None:
        super().__init__(*args, **options)
        self._anteroom = anteroom
        self._head = b""
        self._is_read = False
        """Whether the request is read, so that the library gets what follows."""
        self._is_refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, unless too many connections wait (asyncio calls this)."""
        super().connection_made(transport)
        source = transport.get_extra_info("peername")  # None when it has gone already
        if source is None or not self._anteroom.enter(self, network_of(source[0])):
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end (asyncio calls this)."""
        self._anteroom.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client; the request only once it is whole."""
        if self._is_refused:
            return  # what follows a request that is refused, such as its body
        if self._is_read:
            super().data_received(data)
            return
        self._head += data
        status = status_of(self._head)
        if status is HTTPStatus.CONTINUE:
            return
        head, self._head = self._head, b""
        if status is None:
            self._is_read = True
            super().data_received(head)
        else:
            self._refuse(status, is_head=head.startswith(b"HEAD "))

    def _refuse(self, status: HTTPStatus, *, is_head: bool) -> None:
        self._is_refused = True
        response = refuse(self, status, _REASONS[status])
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = "GET"
        if is_head:
            response.body = b""
        self.transport.write(response.serialize())
        if self.transport.can_write_eof():
            self.transport.write_eof()  # the client closes; bytes unread would make it a reset
        else:
            self.transport.close()

    async def read(self) -> tuple[str | bytes, int] | None:
        """Return the next message and the number of its frames; None when it has too many.

        The connection is closed then. Raises `ConnectionClosed` when it is closed.
        """
        parts: list[Any] = []
        async for part in self.recv_streaming():
            parts.append(part)
            if len(parts) > MAX_FRAMES:
                reason = f"a message has at most {MAX_FRAMES} frames"
                await self.close(CloseCode.POLICY_VIOLATION, reason)
                return None
        return parts[0][:0].join(parts), len(parts)


_REASONS = {
    HTTPStatus.BAD_REQUEST: "the request cannot be read",
    HTTPStatus.NOT_FOUND: "there is nothing here but a WebSocket and its page: a hub has no REST",
    HTTPStatus.METHOD_NOT_ALLOWED: "only GET is allowed",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: f"a request has at most {MAX_HEAD} bytes",
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: "only HTTP/1.1 is supported",
}


def status_of(head: bytes) -> HTTPStatus | None:
    """Return the status for a request that the library cannot read; None for one it can.

    ``CONTINUE`` is the status of one that is not whole yet.
    """
    if b"\n" in head:
        line = _LINE.match(head)
        if line is None:
            return HTTPStatus.BAD_REQUEST
        method, path, version = line.groups()
        if version != b"HTTP/1.1":
            return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
        if method != b"GET":
            name = path.partition(b"?")[0].decode("ascii", "replace")
            is_here = name == "/" or is_socket_path(name)
            return HTTPStatus.METHOD_NOT_ALLOWED if is_here else HTTPStatus.NOT_FOUND
        if _END.search(head):
            return None if _is_readable(head) else HTTPStatus.BAD_REQUEST
    too_long = len(head) > MAX_HEAD
    return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_long else HTTPStatus.CONTINUE


def _is_readable(head: bytes) -> bool:
    """Return whether the library can read a whole request."""
    reader = StreamReader()
    reader.feed_data(head)
    reader.feed_eof()
    with suppress(Exception):  # of any kind: the library states only some
        for _ in Request.parse(reader.read_line):
            pass
        return True
    return False
