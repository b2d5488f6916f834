"""NAT behaviour discovery on the running loop: the order of the tests (RFC 5780).

`jamlab.networks.discovery.questions` sends the requests of each test, and
`jamlab.networks.discovery.conclusions` interprets their responses.
"""

import asyncio
import ipaddress
import math
import socket
from collections.abc import Sequence
from typing import Any

from jamlab.networks.discovery.conclusions import (
    Conclusion,
    Discovery,
    alternate_addresses,
    conclude_filtering,
    conclude_hairpinning,
    conclude_mapping,
    conclude_preservation,
    conclude_silence,
    useless,
)
from jamlab.networks.discovery.lifetime import LifetimeSearch
from jamlab.networks.discovery.questions import Inquiry, fault_over
from jamlab.networks.model.nat_behaviour import Mapping
from jamlab.networks.model.packet import TCP, UDP, Address
from jamlab.networks.stun.answer import Answer
from jamlab.networks.stun.client import StunClient
from jamlab.networks.stun.endpoint import Endpoint


class DiscoveryError(Exception):
    """The server or the local address cannot be used; the message says what to do."""


async def discover(
    server: Address,
    *,
    bind: str | None = None,
    lifetime_limit_s: float | None = None,
    lifetime_resolution_s: float = 5.0,
) -> Discovery:
    """Discover the behaviour of the NATs and firewalls between this host and a server (RFC 5780).

    It takes some seconds; 17 where nothing answers. The lifetime takes up to the limit, or three
    times the lifetime and a ninth of the limit.

    Raises `DiscoveryError` if the server's name does not resolve or `bind` is not an address of
    this machine, and ValueError if the limit or the resolution is not above 0.

    Parameters
    ----------
    server : Address
        Name or IPv4 address of a STUN server, and its port. A server without a second address
        shows whether there is a NAT and whether it preserves ports, perhaps also hairpinning and
        lifetime.
    bind : str, optional
        The local IPv4 address; by default that of the route to the server.
    lifetime_limit_s : float, optional
        The longest lifetime to measure, in seconds; by default the lifetime is not measured.
    """
    search = None
    if lifetime_limit_s is not None:
        search = LifetimeSearch(lifetime_limit_s, lifetime_resolution_s)
    address = await _resolve(server)
    client = StunClient(await _local_host(address) if bind is None else _checked(bind))
    try:
        return await _Discovering(Inquiry(client, address)).run(search)
    except OSError as error:
        raise DiscoveryError(error.strerror or str(error)) from error


async def _resolve(server: Address) -> Address:
    host, port = server
    if ":" in host:  # no name has one
        raise DiscoveryError(
            f"{host!r} is an IPv6 address: jamlab asks STUN servers over IPv4 only, so give a name "
            "or an IPv4 address"
        )
    if not 0 < port < 65536:
        raise DiscoveryError(f"{host}:{port} has a port out of range: give 1 to 65535")
    try:
        return str(ipaddress.IPv4Address(host)), port
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        seen = getattr(error, "strerror", None) or "it is no name of a host"
        raise DiscoveryError(
            f"{host!r} has no IPv4 address ({seen}): give another server, or its IPv4 address"
        ) from error
    return str(found[0][4][0]), port


async def _local_host(server: Address) -> str:
    """Return the local address that the system gives a socket connected to the server."""
    loop = asyncio.get_running_loop()
    client = StunClient("")
    try:
        _, endpoint = await loop.create_datagram_endpoint(
            lambda: Endpoint(lambda *_: None, client), remote_addr=server
        )
    except OSError as error:
        raise DiscoveryError(
            f"this machine has no route to {server[0]} ({error.strerror}): give the address of a "
            "server, and check the network"
        ) from error
    endpoint.close()
    await endpoint.wait_closed()
    return endpoint.address[0]


def _checked(bind: str) -> str:
    try:
        return str(ipaddress.IPv4Address(bind))
    except ValueError:
        raise DiscoveryError(
            f"{bind!r} is not an IPv4 address: give an IPv4 address of this machine"
        ) from None


class _Discovering:
    """The tests of one discovery, and their results so far."""

    def __init__(self, inquiry: Inquiry) -> None:
        self._inquiry = inquiry
        self._server = inquiry.server
        self._found: dict[str, Any] = {}
        self._reasons: dict[str, str] = {}

    async def run(self, search: LifetimeSearch | None) -> Discovery:
        """Run all tests."""
        async with self._inquiry.client.port() as port:
            answer = await self._inquiry.ask(port)
            if answer is None or answer.mapped is None:
                await self._fail(port, answer)
            else:
                await self._succeed(port, answer, answer.mapped)
                not_asked = Conclusion[tuple[float, float]](None, "not asked for")
                self._note("lifetime_s", await self._lifetime(search) if search else not_asked)
            return Discovery(self._server, port.address, **self._found, reasons=self._reasons)

    def _note(self, name: str, conclusion: Conclusion[Any]) -> None:
        self._found[name] = conclusion.value
        if conclusion.value is None:
            self._reasons[name] = conclusion.reason

    async def _fail(self, port: Endpoint, answer: Answer | None) -> None:
        """Note why there are no results."""
        if answer is not None:
            failure: Conclusion[bool] = Conclusion(False, useless(answer))
        else:
            failure = await self._silence(port)
        self._note("udp_blocked", failure)
        for name in ("nat", "mapping", "filtering", "hairpinning", "ports_preserved", "lifetime_s"):
            self._note(name, Conclusion(None, failure.reason))

    async def _silence(self, port: Endpoint) -> Conclusion[bool]:
        """Return whether UDP is blocked, when requests from a port got no answer."""
        udp, tcp = await asyncio.gather(
            fault_over(UDP, self._server, port.address[0]), fault_over(TCP, self._server)
        )
        found = conclude_silence(udp, tcp)
        if found.value is None and port.error is not None:
            return Conclusion(None, f"this machine cannot send to the server: {port.error}")
        return found

    async def _succeed(self, port: Endpoint, answer: Answer, mapped: Address) -> None:
        self._found.update(mapped=mapped, udp_blocked=False, round_trip_s=answer.round_trip_s)
        alternates = alternate_addresses(self._server, answer.other)
        seen = {self._server: mapped}
        if alternates.value is None:
            self._note("filtering", alternates)
        else:  # filtering first, while no packet was sent to the server's other addresses
            both, other_port, sure = await self._inquiry.answers_from_elsewhere()
            others = await self._inquiry.seen_from(alternates.value, port)
            filtering = conclude_filtering(self._server, others.keys(), both, other_port, sure=sure)
            self._note("filtering", filtering)
            seen |= others
        nat = any(address != port.address for address in seen.values())
        self._found["nat"] = nat
        if not nat:
            self._note("mapping", Conclusion(Mapping.EIM))
        else:
            self._note("mapping", conclude_mapping(seen) if alternates.value else alternates)
        await self._note_translation(nat)

    async def _note_translation(self, nat: bool) -> None:
        if not nat:
            for name in ("hairpinning", "ports_preserved"):
                self._note(name, Conclusion(None, "there is no NAT"))
            return
        heard, sure = await self._inquiry.turned_back()
        mapping, filtering = self._found["mapping"], self._found["filtering"]
        self._note("hairpinning", conclude_hairpinning(heard, mapping, filtering, sure=sure))
        self._note("ports_preserved", conclude_preservation(self._inquiry.fresh))

    async def _lifetime(self, search: LifetimeSearch) -> Conclusion[tuple[float, float]]:
        at_once = await self._inquiry.closed_after(0.0)
        if at_once.value is None:
            return Conclusion(None, at_once.reason)
        if at_once.value < math.inf:
            return Conclusion(None, "responses to another local port (RESPONSE-PORT) never arrive")
        reason = ""
        while not reason and (waits_s := search.waits_s()):
            reason = await self._round(search, waits_s)
        if reason and search.bounds_s == (0, math.inf):
            return Conclusion(None, reason)
        return Conclusion(search.bounds_s)

    async def _round(self, search: LifetimeSearch, waits_s: Sequence[float]) -> str:
        """Test several waits at once, until one is too long; return the reason of a failure."""
        asking = self._inquiry.closed_after
        tasks = [asyncio.create_task(asking(wait_s)) for wait_s in waits_s]
        try:
            for wait_s, task in zip(waits_s, tasks, strict=True):
                closed_after = await task
                if closed_after.value is None:
                    return closed_after.reason
                search.tell(wait_s, closed_after.value)
                if closed_after.value < math.inf:
                    break
            return ""
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
