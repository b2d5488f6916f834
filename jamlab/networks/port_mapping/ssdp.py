"""Search for a router's description by SSDP (UPnP Device Architecture 1.1, section 1.3).

The search goes by multicast to the network of the default route alone, and to the router itself.
Only what the router answers counts, and only a description at its own address: otherwise anybody in
the network could make us fetch anything.
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from jamlab.networks.port_mapping.mapping import Address, NoAnswerError, Route

GROUP: Address = ("239.255.255.250", 1900)
GATEWAYS = tuple(f"urn:schemas-upnp-org:device:InternetGatewayDevice:{n}" for n in (1, 2))

WAITS_S = (1.0, 2.0, 4.0)
"""Waits for an answer before the search is repeated; a router may take the second of `MX`."""

_LONGEST = 2048
_HOPS = 2  # UDA 1.1 §1.3.2


def search_request(target: str, host: Address = GROUP) -> bytes:
    """Return a search for devices of a type."""
    lines = (
        "M-SEARCH * HTTP/1.1",
        f"HOST: {host[0]}:{host[1]}",
        'MAN: "ssdp:discover"',
        "MX: 1",
        f"ST: {target}",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def description_url(datagram: bytes, source: str, router: str) -> str | None:
    """Return the URL in a router's answer to a search; None for anything else.

    It has the router's own address and the scheme http.
    """
    if source != router or len(datagram) > _LONGEST:
        return None
    first, *lines = datagram.decode("latin-1").splitlines() or [""]
    if not first.startswith("HTTP/1.1 200"):
        return None
    headers = {name.strip().lower(): value.strip() for name, _, value in map(_parted, lines)}
    if headers.get("st") not in GATEWAYS:
        return None
    url = headers.get("location", "")
    return url if is_of(router, url) else None


def is_of(router: str, url: str) -> bool:
    """Return whether an http URL is at a router's own address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        (parts.scheme, parts.hostname) == ("http", router)
        and port != 0
        and url.isascii()
        and url.isprintable()
        and "@" not in parts.netloc
    )


async def find_description(route: Route, waits_s: Sequence[float] = WAITS_S) -> str:
    """Return the URL of a router's description; raise `NoAnswerError` if it answers none."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[str] = loop.create_future()
    try:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Search(route.router, found), sock=_multicast_socket(route.own)
        )
    except OSError as error:
        raise NoAnswerError(f"no search from {route.own}: {error.strerror}") from error
    try:
        for wait_s in waits_s:
            for host in (GROUP, (route.router, GROUP[1])):
                for target in GATEWAYS:
                    transport.sendto(search_request(target, host), host)
            done, _ = await asyncio.wait({found}, timeout=wait_s)
            if done:
                return found.result()
    finally:
        transport.close()
    raise NoAnswerError(f"{route.router} does not answer a search by UPnP")


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def _multicast_socket(own: str) -> socket.socket:
    """Return a socket whose multicasts go to the network of our own address alone."""
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _HOPS)
        made.bind((own, 0))
        stack.pop_all()
    return made


class _Search(asyncio.DatagramProtocol):
    """Sets a future to the first URL; an error of sending concerns one of several ways."""

    def __init__(self, router: str, found: "asyncio.Future[str]") -> None:
        self._router = router
        self._found = found

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take a datagram (asyncio calls this)."""
        url = description_url(data, addr[0], self._router)
        if url is not None and not self._found.done():
            self._found.set_result(url)
