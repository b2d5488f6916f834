"""Who may open a socket to a hub: the key, and the version, path, Host and Origin of a request.

A browser lets any page open a WebSocket to any address, this machine's own among them, and says
whose page it is in Origin (RFC 6455 §10.2). A page whose name its owner has just pointed at this
machine (DNS rebinding) even seems to be the hub's own; but its name is in Host, and no hub's.
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
"""Where a hub is: the path of self-hosted Realtime. The hosted one's serves as well."""

SHORTEST_KEY = 12
"""Characters of the shortest key where others can reach the hub, and try some."""

_PATHS = {f"{base}/websocket" for base in (PATH, "/realtime/v1")}
_HEADERS = ("x-api-key", "apikey")
_PORTS = {"http": 80, "https": 443}


class HubError(ValueError):
    """A hub that cannot be where or as it was told to be."""


def check_key(key: str, host: str) -> None:
    """Check that a hub may be at an address with a key.

    Raises
    ------
    HubError
        There is no key, or a short one where others can reach the hub.
    """
    if not key:
        raise HubError("a hub has a key: give one that is not empty")
    if not key.isprintable():
        raise HubError("a hub's key is typed and sent as text: give one of printable characters")
    if len(key) < SHORTEST_KEY and not is_loopback(host):
        raise HubError(
            f"others can reach a hub at {host!r} and guess a key of {len(key)} characters: give "
            f"one of at least {SHORTEST_KEY}, or none to have one made"
        )


def is_loopback(host: str) -> bool:
    """Return whether an address is surely one that only this machine reaches."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_origin(origin: str) -> str:
    """Return an origin as it is compared: lower case, without the scheme's own port.

    Raises
    ------
    HubError
        It is not the origin of pages (RFC 6454 §6.2).
    """
    try:
        parts = urlsplit(origin.lower())
        host, port = parts.hostname, parts.port
        bare = not (parts.path or parts.query or parts.fragment or parts.username)
    except ValueError:
        host, bare = None, False
    if host is None or not bare or parts.scheme not in _PORTS:
        raise HubError(f"{origin!r} is no origin: give one such as https://example.org:8000")
    netloc = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{netloc}:{port or _PORTS[parts.scheme]}"


def read_host(name: str) -> str:
    """Return a host's name or address as it is compared: lower case, without brackets or last dot.

    Raises
    ------
    HubError
        It has a scheme or a port, or is none.
    """
    host = name.lower().removeprefix("[").removesuffix("]").rstrip(".")
    if not host or set(host) & set("/@?#[] ") or (":" in host and not _is_address(host)):
        raise HubError(f"{name!r} is no host: give one such as jam.example.org, without a port")
    return host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Door:
    """What a request needs to open a socket."""

    key: str = field(repr=False)
    """What it has to show."""
    hosts: frozenset[str]
    """Names under which the hub is known, beside the addresses it listens at."""
    origins: frozenset[str]
    """Whose pages may come in, beside those of the hub's own host (see `read_origin`)."""

    @classmethod
    def new(cls, key: str, hosts: Iterable[str], origins: Iterable[str]) -> "Door":
        """Return a door; raises `HubError` for what is no host or no origin."""
        return cls(
            key,
            frozenset(map(read_host, hosts)),
            frozenset(map(read_origin, origins)),
        )

    def refusal(
        self, connection: ServerConnection, request: Request, address: str
    ) -> Response | None:
        """Return the answer to a request that may not open a socket, None for one that may.

        Parameters
        ----------
        connection : ServerConnection
            What makes the answer.
        request : Request
            The request.
        address : str
            The address of this machine that it came to.
        """
        path, query = _split(request)
        if path not in _PATHS:
            return refuse(connection, HTTPStatus.NOT_FOUND, f"there is only {PATH}/websocket")
        stranger = self._stranger(request, _unmapped(address))
        if stranger:
            return refuse(connection, HTTPStatus.FORBIDDEN, stranger)
        given = [*chain(*map(request.headers.get_all, _HEADERS)), *query.get("apikey", [])]
        if not given:
            return refuse(connection, HTTPStatus.UNAUTHORIZED, "API key is missing")
        if not hmac.compare_digest(given[0].encode(errors="replace"), self.key.encode()):
            return refuse(connection, HTTPStatus.UNAUTHORIZED, "API key is wrong")
        if _vsn(query) not in set(Version):
            return refuse(connection, HTTPStatus.BAD_REQUEST, "vsn is 1.0.0 or 2.0.0")
        return None

    def _stranger(self, request: Request, address: str) -> str:
        """Return why a request is from a place that may not come in, empty for one that may."""
        hosts, origins = (request.headers.get_all(name) for name in ("Host", "Origin"))
        host = _host_of(hosts[0]) if len(hosts) == 1 else None
        if host is None or not self._is_known(host, address):
            return "the hub is not known under this Host: it can be, by --allow-host"
        if len(origins) > 1 or not all(self._is_welcome(origin, host) for origin in origins):
            return "pages of this Origin may not come in: they can be let in, by --allow-origin"
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
    """Return an answer as the hosted service gives it."""
    response = connection.respond(status, json.dumps({"error": error}))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


def version_of(request: Request) -> Version:
    """Return the version of a request that was not refused; without `vsn` it is the first."""
    return Version(_vsn(_split(request)[1]))


def _split(request: Request) -> tuple[str, dict[str, list[str]]]:
    """Return the path of a request and its query."""
    path, _, query = request.path.partition("?")
    return path, parse_qs(query)


def _vsn(query: dict[str, list[str]]) -> str:
    return query.get("vsn", [Version.V1])[0]


def _host_of(netloc: str) -> str | None:
    """Return the name or address in a Host header, without its port; None where there is none."""
    try:
        parts = urlsplit(f"//{netloc}")
        is_host = parts.hostname and parts.netloc == netloc and parts.username is None
        return _unmapped((parts.hostname or "").rstrip(".")) if is_host else None
    except ValueError:
        return None


def network_of(address: str) -> str:
    """Return what of a client's address it cannot choose: IPv4's all, of IPv6 the first 64 bits."""
    plain = _unmapped(address.partition("%")[0])
    try:
        return str(ipaddress.IPv6Network((plain, 64), strict=False))
    except ValueError:
        return plain


def _unmapped(address: str) -> str:
    """Return the IPv4 address that a socket of both kinds shows as IPv6 (RFC 4291 §2.5.5.2)."""
    try:
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return str(mapped or address)
