"""Web pages of a hub: files in memory, and a configuration for clients with the key.

All files are read before the hub opens. A request is answered only if its path is exactly that of
one of them, so no path leads out of their folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from jamlab.signaling.hub.handshake import PATH, Door, HubError, refuse

CONFIGURATION = "/configuration.json"
"""Path of the configuration, which needs the key in a header: it may have TURN credentials."""

_INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "media-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types worker",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A file as it is sent."""

    content_type: str
    content: bytes = field(repr=False)


def read_pages(folder: Path) -> dict[str, Page]:
    """Return the web files of a folder by their path in a URL; ``/`` is its ``index.html``.

    Files of other types are left out. Raises `HubError` if there is no ``index.html``.
    """
    pages = {
        f"/{path.relative_to(folder).as_posix()}": Page(_TYPES[path.suffix], path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.suffix in _TYPES and path.is_file()
    }
    if f"/{_INDEX}" not in pages:
        raise HubError(f"{folder} has no {_INDEX}: reinstall jamlab")
    return pages | {"/": pages[f"/{_INDEX}"]}


@dataclass(frozen=True)
class Site:
    """The answers of a hub to requests for web pages."""

    pages: Mapping[str, Page]
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """For the pages' scripts, which get it with the key."""

    def answer(
        self, connection: ServerConnection, request: Request, address: str, door: Door
    ) -> Response:
        """Return the answer to a request, to an `address` of the hub, that opens no WebSocket."""
        stranger = door.stranger(request, address)
        if stranger:
            return refuse(connection, HTTPStatus.FORBIDDEN, stranger)
        path = request.path.partition("?")[0]
        if path == CONFIGURATION:
            return self._configured(connection, request, door)
        if path in self.pages:
            return _respond(connection, self.pages[path])
        return refuse(
            connection,
            HTTPStatus.NOT_FOUND,
            f"there is no such page: the hub's page is /, its WebSocket {PATH}/websocket",
        )

    def _configured(self, connection: ServerConnection, request: Request, door: Door) -> Response:
        given = request.headers.get_all("apikey")
        if len(given) != 1 or not door.is_key(given[0]):
            return refuse(connection, HTTPStatus.UNAUTHORIZED, "API key is missing or wrong")
        content = json.dumps(dict(self.configuration)).encode()
        return _respond(connection, Page("application/json", content))


def _respond(connection: ServerConnection, page: Page) -> Response:
    response = connection.respond(HTTPStatus.OK, "")
    headers = {"Content-Type": page.content_type, "Content-Length": str(len(page.content))}
    for name, value in (headers | _HEADERS).items():
        if name in response.headers:
            del response.headers[name]  # otherwise there would be two of it
        response.headers[name] = value
    response.body = page.content
    return response
