"""How the NATs before this host behave, asked of a STUN server (RFC 5780), on the running loop.

What the answers mean is in `jamlab.networks.discovery.conclusions`; how each question is put, in
`jamlab.networks.discovery.questions`; here is in which order, and what depends on what.
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
)
from jamlab.networks.discovery.lifetime import LifetimeSearch
from jamlab.networks.discovery.questions import Inquiry, answers_over_tcp
from jamlab.networks.model.nat_behaviour import Mapping
from jamlab.networks.model.packet import Address
from jamlab.networks.stun.answer import Answer
from jamlab.networks.stun.client import StunClient
from jamlab.networks.stun.endpoint import Endpoint


class DiscoveryError(Exception):
    """There is nobody to ask, or nowhere to ask from; says what to do."""


async def discover(
    server: Address,
    *,
    bind: str | None = None,
    lifetime_limit_s: float | None = None,
    lifetime_resolution_s: float = 5.0,
) -> Discovery:
    """Find out how the NATs and firewalls between this host and a server behave (RFC 5780).

    It takes some seconds; 17 where nothing answers. The lifetime takes up to the limit, or three
    times the lifetime and a ninth of the limit.

    Parameters
    ----------
    server : Address
        Name or IPv4 address of a STUN server, and its port. With one that has no second address it
        can be found out whether there is a NAT and whether it preserves ports, and perhaps whether
        it hairpins and for how long.
    bind : str, optional
        The IPv4 address to ask from; by default the one that leads to the server.
    lifetime_limit_s : float, optional
        The longest lifetime to look for, in seconds; without it, none is looked for.
    lifetime_resolution_s : float
        How precisely, in seconds.

    Raises
    ------
    DiscoveryError
        The server's name does not resolve, or the address to ask from is none of this machine's.
    ValueError
        The limit or the resolution is not above 0.
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
        seen = getattr(error, "strerror", None) or error
        raise DiscoveryError(
            f"{host!r} has no IPv4 address ({seen}): give another server, or its address"
        ) from error
    return str(found[0][4][0]), port


async def _local_host(server: Address) -> str:
    """Return the address packets to the server leave from, which the system says of a socket."""
    loop = asyncio.get_running_loop()
    client = StunClient("")
    try:
        _, endpoint = await loop.create_datagram_endpoint(
            lambda: Endpoint(lambda *_: None, client), remote_addr=server
        )
    except OSError as error:
        raise DiscoveryError(f"there is no way to {server[0]} from here: {error}") from error
    endpoint.close()
    await endpoint.wait_closed()
    return endpoint.address[0]


def _checked(bind: str) -> str:
    try:
        return str(ipaddress.IPv4Address(bind))
    except ValueError:
        raise DiscoveryError(
            f"{bind!r} is no IPv4 address: give one of this machine's to ask from"
        ) from None


class _Discovering:
    """One discovery at work."""

    def __init__(self, inquiry: Inquiry) -> None:
        self._inquiry = inquiry
        self._server = inquiry.server
        self._found: dict[str, Any] = {}
        self._reasons: dict[str, str] = {}

    async def run(self, search: LifetimeSearch | None) -> Discovery:
        """Ask everything."""
        async with self._inquiry.client.port() as port:
            answer = await self._inquiry.ask(port)
            if answer is None or answer.mapped is None:
                await self._fail(port, answer)
            else:
                await self._succeed(port, answer, answer.mapped)
                not_asked = Conclusion[tuple[float, float]](None, "not asked for")
                self._note("lifetime_s", await self._lifetime(search) if search else not_asked)
            return Discovery(self._server, port.address, **self._found, reasons=self._reasons)

    def _note(self, name: str, told: Conclusion[Any]) -> None:
        self._found[name] = told.value
        if told.value is None:
            self._reasons[name] = told.reason

    async def _fail(self, port: Endpoint, answer: Answer | None) -> None:
        """Say why nothing can be found out."""
        blocked: bool | None = None
        if answer is not None:
            blocked, reason = False, "the server does not say how this host looks to it"
            if answer.error:
                reason = f"the server refuses to answer ({answer.error})"
        elif await answers_over_tcp(self._server):
            blocked, reason = True, "UDP is blocked: the server answers over TCP alone"
        elif port.error is not None:
            reason = f"this machine sends nothing to the server: {port.error}"
        else:
            reason = "the server answers neither over UDP nor over TCP: it is down, or blocked"
        self._note("udp_blocked", Conclusion(blocked, reason))
        for name in ("nat", "mapping", "filtering", "hairpinning", "ports_preserved", "lifetime_s"):
            self._note(name, Conclusion(None, reason))

    async def _succeed(self, port: Endpoint, answer: Answer, mapped: Address) -> None:
        self._found.update(mapped=mapped, udp_blocked=False, round_trip_s=answer.round_trip_s)
        alternates = alternate_addresses(self._server, answer.other)
        seen = {self._server: mapped}
        if alternates.value is None:
            self._note("filtering", alternates)
        else:  # filtering first: so far nothing at all was sent to the server's other addresses
            both, other_port, sure = await self._inquiry.answers_from_elsewhere()
            others = await self._inquiry.seen_from(alternates.value, port)
            told = conclude_filtering(self._server, others.keys(), both, other_port, sure=sure)
            self._note("filtering", told)
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
            return Conclusion(
                None, "an answer to another port of ours (RESPONSE-PORT) never arrives"
            )
        reason = ""
        while not reason and (waits_s := search.waits_s()):
            reason = await self._round(search, waits_s)
        if reason and search.bounds_s == (0, math.inf):
            return Conclusion(None, reason)
        return Conclusion(search.bounds_s)

    async def _round(self, search: LifetimeSearch, waits_s: Sequence[float]) -> str:
        """Wait for several times at once, until one is too long; returns why it cannot go on."""
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
