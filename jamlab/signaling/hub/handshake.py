"""Checks of a WebSocket request to a hub: path, Host, Origin, key and protocol version.

A browser lets any page open a WebSocket to any address, including this machine's own, and states
the page's origin in Origin (RFC 6455 §10.2). With DNS rebinding, an attacker's host name points at
this machine, and its page appears to be the hub's own; but then Host has that name, which is not a
name of the hub.
"""

import hmac
import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import chain
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from jamlab.signaling.hub.phoenix import Version

PATH = "/socket"
"""Path of a hub, as of self-hosted Realtime; that of the hosted service works as well."""

SHORTEST_KEY = 12
"""Least length of a key when other machines can reach the hub, and guess."""

_PATHS = {f"{base}/websocket" for base in (PATH, "/realtime/v1")}
_HEADERS = ("x-api-key", "apikey")
_PORTS = {"http": 80, "https": 443}


class HubError(ValueError):
    """A hub cannot be opened at an address or with its parameters."""


def check_key(key: str, host: str) -> None:
    """Check that a hub may listen at an address with a key.

    Raises `HubError` if the key is missing or cannot be sent, or is short although other machines
    can reach the hub.
    """
    if not key:
        raise HubError("the hub's key is empty: give a key")
    if not key.isprintable():
        raise HubError("the hub's key has control characters: give a key of printable characters")
    if key != key.strip():
        raise HubError(
            "the hub's key begins or ends with a space, which no HTTP header keeps: give one "
            "without"
        )
    if len(key) < SHORTEST_KEY and not is_loopback(host):
        raise HubError(
            f"other machines can reach a hub at {host!r} and guess a key of {len(key)} characters: "
            f"give one of at least {SHORTEST_KEY} characters, or none for a random key"
        )


def is_loopback(host: str) -> bool:
    """Return whether an address is certainly reachable from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_origin(origin: str) -> str:
    """Return an origin in its form for comparison: lower case, with an explicit port.

    Raises `HubError` if it is not the origin of web pages (RFC 6454 §6.2).
    """
    try:
        parts = urlsplit(origin.lower())
        host, port = parts.hostname, parts.port
        bare = not (parts.path or parts.query or parts.fragment or parts.username)
    except ValueError:
        host, bare = None, False
    if host is None or not bare or parts.scheme not in _PORTS:
        raise HubError(f"{origin!r} is not an origin: give one such as https://example.org:8000")
    netloc = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{netloc}:{port or _PORTS[parts.scheme]}"


def read_host(name: str) -> str:
    """Return a host in its form for comparison: lower case, without brackets or final dot.

    Raises `HubError` if it has a scheme or port, or is not a host.
    """
    host = name.lower().removeprefix("[").removesuffix("]").rstrip(".")
    if not host or set(host) & set("/@?#[] ") or (":" in host and not _is_address(host)):
        raise HubError(f"{name!r} is not a host: give one such as jam.example.org, without a port")
    return host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Door:
    """Requirements on a request to open a socket."""

    key: str = field(repr=False)
    hosts: frozenset[str]
    """Allowed host names, besides the addresses the hub listens at."""
    origins: frozenset[str]
    """Allowed origins, besides those of the hub's own host (see `read_origin`)."""

    @classmethod
    def new(cls, key: str, hosts: Iterable[str], origins: Iterable[str]) -> "Door":
        """Return a door; raises `HubError` for an invalid host or origin."""
        return cls(
            key,
            frozenset(map(read_host, hosts)),
            frozenset(map(read_origin, origins)),
        )

    def refusal(
        self, connection: ServerConnection, request: Request, address: str
    ) -> Response | None:
        """Return the answer to a request that may not open a socket, None for one that may.

        `connection` creates the response; `address` is the local address that the request came to.
        """
        query = _split(request)[1]
        if not is_for_socket(request):
            return refuse(connection, HTTPStatus.NOT_FOUND, f"the path is {PATH}/websocket")
        stranger = self.stranger(request, address)
        if stranger:
            return refuse(connection, HTTPStatus.FORBIDDEN, stranger)
        given = [*chain(*map(request.headers.get_all, _HEADERS)), *query.get("apikey", [])]
        if not given:
            return refuse(connection, HTTPStatus.UNAUTHORIZED, "API key is missing")
        if not self.is_key(given[0]):
            return refuse(connection, HTTPStatus.UNAUTHORIZED, "API key is wrong")
        if _vsn(query) not in set(Version):
            return refuse(connection, HTTPStatus.BAD_REQUEST, "vsn must be 1.0.0 or 2.0.0")
        return None

    def is_key(self, given: str) -> bool:
        """Return whether a text of a request is the key; a header has its bytes in UTF-8."""
        # the library reads headers as ASCII, and keeps other bytes as surrogates
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self.key.encode())

    def stranger(self, request: Request, address: str) -> str:
        """Return the reason to refuse a request's Host or Origin; empty when both are allowed.

        `address` is the local address that the request came to.
        """
        hosts, origins = (request.headers.get_all(name) for name in ("Host", "Origin"))
        host = _host_of(hosts[0]) if len(hosts) == 1 else None
        if host is None or not self._is_known(host, _unmapped(address)):
            return "this Host is not a name of the hub: allow it with --allow-host"
        if len(origins) > 1 or not all(self._is_welcome(origin, host) for origin in origins):
            return "pages of this Origin are not allowed: allow them with --allow-origin"
        return ""

    def _is_known(self, host: str, address: str) -> bool:
        return host in self.hosts or host == address or (is_loopback(host) and is_loopback(address))

    def _is_welcome(self, origin: str, host: str) -> bool:
        try:
            known = read_origin(origin)
        except HubError:
            return False
        page = urlsplit(known).hostname or ""
        is_own = page == host or (is_loopback(page) and is_loopback(host))
        return is_own or known in self.origins


def refuse(connection: ServerConnection, status: HTTPStatus, error: str) -> Response:
    """Return an error response in the hosted service's form."""
    response = connection.respond(status, json.dumps({"error": error}))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


def is_for_socket(request: Request) -> bool:
    """Return whether a request's path is that of the hub's WebSocket."""
    return is_socket_path(_split(request)[0])


def is_socket_path(path: str) -> bool:
    """Return whether a path, without its query, is that of the hub's WebSocket."""
    return path in _PATHS


def version_of(request: Request) -> Version:
    """Return the protocol version of an accepted request; by default the first."""
    return Version(_vsn(_split(request)[1]))


def _split(request: Request) -> tuple[str, dict[str, list[str]]]:
    """Return the path of a request and its query."""
    path, _, query = request.path.partition("?")
    return path, parse_qs(query)


def _vsn(query: dict[str, list[str]]) -> str:
    return query.get("vsn", [Version.V1])[0]


def _host_of(netloc: str) -> str | None:
    """Return the name or address in a Host header, without its port; None when it has none."""
    try:
        parts = urlsplit(f"//{netloc}")
        is_host = parts.hostname and parts.netloc == netloc and parts.username is None
        return _unmapped((parts.hostname or "").rstrip(".")) if is_host else None
    except ValueError:
        return None


def network_of(address: str) -> str:
    """Return the part of an address a client cannot choose: IPv4 whole, IPv6 its first 64 bits."""
    plain = _unmapped(address.partition("%")[0])
    try:
        return str(ipaddress.IPv6Network((plain, 64), strict=False))
    except ValueError:
        return plain


def _unmapped(address: str) -> str:
    """Return the IPv4 address in an IPv4-mapped one (RFC 4291 §2.5.5.2), others as they are."""
    try:
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return str(mapped or address)
