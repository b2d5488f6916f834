"""How the NATs before this host behave, asked of a STUN server (RFC 5780), on the running loop.

What is asked, and what the answers mean, is in `jamlab.networks.discovery_core`.
"""

import asyncio
import contextlib
import ipaddress
import math
import socket
from collections.abc import Sequence
from typing import Any

from aioice import stun

from jamlab.networks.behaviour import Mapping
from jamlab.networks.discovery_core import (
    CONTROLS,
    UNSURE,
    Discovery,
    Told,
    alternate_addresses,
    filtering_told,
    hairpinning_told,
    mapping_told,
    preservation_told,
)
from jamlab.networks.lifetime import LifetimeSearch
from jamlab.networks.packet import Address
from jamlab.networks.stun_client import Answer, Request, Retransmission, StunClient
from jamlab.networks.stun_core import CHANGE_IP, CHANGE_PORT
from jamlab.networks.stun_endpoint import Endpoint
from jamlab.networks.stun_message import HEADER_LENGTH, MalformedMessageError, parse

PATIENCE = Retransmission(rc=5, rm=8)
"""Of a question everybody should answer: 11.5 s, where RFC 8489's own values take 39.5."""

INTERVAL_S = 0.1
"""Between the rounds of a question that may rightly get no answer."""
ROUNDS = 100
"""How many of them there are at most; a server that answers in 25 of 100 still gets its silence
counted."""
GRACE_S = 1.0
"""How long the last one is waited for."""
TCP_S = 5.0
"""How long a server has to answer over TCP."""

_FIRST = asyncio.FIRST_COMPLETED


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

    It takes a few seconds, and the lifetime up to the limit and twice the lifetime.

    Parameters
    ----------
    server : Address
        Name or IPv4 address of a STUN server, and its port. What can be found out of one that has
        no second address is only whether there is a NAT, whether it preserves ports, and perhaps
        whether it hairpins.
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
        return await _Probe(client, address).run(search)
    except OSError as error:
        raise DiscoveryError(f"cannot ask from {client.host}: {error.strerror or error}") from error


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
        raise DiscoveryError(
            f"{host!r} has no IPv4 address ({error}): give another server, or its address"
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
        raise DiscoveryError(
            f"there is no way to {server[0]}: {error.strerror or error}"
        ) from error
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


class _Probe:
    """One discovery at work.

    Parameters
    ----------
    client : StunClient
        Whose ports are used.
    server : Address
        Who is asked.
    """

    def __init__(self, client: StunClient, server: Address) -> None:
        self._client = client
        self._server = server
        self._found: dict[str, Any] = {}
        self._reasons: dict[str, str] = {}
        self._fresh: list[tuple[Address, Address]] = []
        """Ports, and how each looked when it was first used."""

    async def run(self, search: LifetimeSearch | None) -> Discovery:
        """Ask everything."""
        async with self._client.port() as port:
            answer = await self._ask(port)
            if answer is None or answer.mapped is None:
                await self._fail(port, answer)
            else:
                await self._succeed(port, answer, answer.mapped)
                lifetime = Told[tuple[float, float]](None, "not asked for")
                self._note("lifetime_s", await self._lifetime(search) if search else lifetime)
            return Discovery(self._server, port.address, **self._found, reasons=self._reasons)

    def _note(self, name: str, told: Told[Any]) -> None:
        self._found[name] = told.value
        if told.value is None:
            self._reasons[name] = told.reason

    async def _ask(self, port: Endpoint) -> Answer | None:
        """Ask from a fresh port how it looks."""
        answer = await self._client.ask(self._client.request(port, self._server), PATIENCE)
        if answer is not None and answer.mapped is not None:
            self._fresh.append((port.address, answer.mapped))
        return answer

    async def _fail(self, port: Endpoint, answer: Answer | None) -> None:
        """Say why nothing can be found out."""
        if answer is not None:
            blocked, reason = Told(False), "the server does not say how this host looks to it"
            if answer.error:
                reason = f"the server refuses to answer ({answer.error})"
        elif await _answers_over_tcp(self._server):
            blocked, reason = Told(True), "UDP is blocked: the server answers over TCP alone"
        else:
            reason = (
                "the server answers neither over UDP nor over TCP: it is down, or all is blocked"
            )
            if port.error is not None:
                reason = f"this machine sends nothing there ({port.error})"
            blocked = Told[bool](None, reason)
        self._note("udp_blocked", blocked)
        for name in ("nat", "mapping", "filtering", "hairpinning", "ports_preserved", "lifetime_s"):
            self._note(name, Told[None](None, reason))

    async def _succeed(self, port: Endpoint, answer: Answer, mapped: Address) -> None:
        self._found.update(mapped=mapped, udp_blocked=False, round_trip_s=answer.round_trip_s)
        seen = {self._server: mapped}
        alternates = alternate_addresses(self._server, answer.other)
        if alternates.value is not None:
            seen.update(await self._seen_from(alternates.value, port))
        nat = any(address != port.address for address in seen.values())
        self._found["nat"] = nat
        mapping = mapping_told(seen) if alternates.value else Told(None, alternates.reason)
        self._note("mapping", mapping if nat else Told(Mapping.EIM))
        filtering = Told(None, alternates.reason)
        if alternates.value is not None:
            filtering = await self._filtering(seen.keys() - {self._server})
        self._note("filtering", filtering)
        no_nat = Told[bool](None, "there is no NAT")
        self._note("hairpinning", await self._hairpinning() if nat else no_nat)
        self._note("ports_preserved", preservation_told(self._fresh) if nat else no_nat)

    async def _seen_from(
        self, addresses: Sequence[Address], port: Endpoint
    ) -> dict[Address, Address]:
        """Return how a port looks from other addresses of the server's, from those that answer."""
        requests = [self._client.request(port, address) for address in addresses]
        answers = await asyncio.gather(*(self._client.ask(r, PATIENCE) for r in requests))
        pairs = zip(addresses, answers, strict=True)
        return {address: a.mapped for address, a in pairs if a is not None and a.mapped}

    async def _filtering(self, answering: set[Address]) -> Told[Any]:
        async with self._client.port() as fresh:
            if await self._ask(fresh) is None:
                return Told(None, UNSURE)
            both, port = (
                self._client.request(fresh, self._server, change=change)
                for change in (CHANGE_IP | CHANGE_PORT, CHANGE_PORT)
            )
            trips = await self._repeat([both], [port], fresh)
            return filtering_told(
                self._server, answering, _heard(both), _heard(port), sure=trips is not None
            )

    async def _hairpinning(self) -> Told[bool]:
        async with self._client.port() as one, self._client.port() as two:
            answers = await self._ask(one), await self._ask(two)
            mapped = [answer.mapped for answer in answers if answer and answer.mapped]
            if len(mapped) < 2:
                return Told(None, UNSURE)
            requests = [
                self._client.request(one, mapped[1]),
                self._client.request(two, mapped[0]),
            ]
            trips = await self._repeat(requests, [], one)
            heard = any(answer.hairpinned for answer in map(_heard, requests) if answer)
            found = self._found
            return hairpinning_told(
                heard, found["mapping"], found["filtering"], sure=trips is not None
            )

    async def _repeat(
        self, decisive: Sequence[Request], others: Sequence[Request], port: Endpoint
    ) -> float | None:
        """Send requests until one of the decisive is answered or its silence counts.

        Returns the longest round trip of the questions put beside them from `port`, in seconds, or
        None when too few of these were answered for silence to count.
        """
        controls: list[Request] = []
        waiting = [request.answer for request in decisive]
        for _ in range(ROUNDS):
            controls.append(self._client.request(port, self._server))
            for request in (*decisive, *others, controls[-1]):
                if not request.answer.done():
                    request.send()
            if (await asyncio.wait(waiting, timeout=INTERVAL_S, return_when=_FIRST))[0]:
                break
            if sum(control.answer.done() for control in controls) >= CONTROLS:
                await asyncio.wait(waiting, timeout=GRACE_S, return_when=_FIRST)
                break
        trips = [answer.round_trip_s for answer in map(_heard, controls) if answer]
        return max(trips) if len(trips) >= CONTROLS else None

    async def _lifetime(self, search: LifetimeSearch) -> Told[tuple[float, float]]:
        at_once = await self._closed_after(0.0)
        if at_once.value is None:
            return Told(None, at_once.reason)
        if at_once.value < math.inf:
            return Told(None, "an answer sent to another port (RESPONSE-PORT) does not arrive")
        reason = ""
        while not reason and (waits_s := search.waits_s()):
            reason = await self._round(search, waits_s)
        low_s, high_s = search.bounds_s
        return Told(None, reason) if low_s == 0 and high_s == math.inf else Told((low_s, high_s))

    async def _round(self, search: LifetimeSearch, waits_s: Sequence[float]) -> str:
        """Wait for several times at once, until one is too long; returns why it cannot go on."""
        tasks = [asyncio.create_task(self._closed_after(wait_s)) for wait_s in waits_s]
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

    async def _closed_after(self, wait_s: float) -> Told[float]:
        """Tell after how long of silence a port was closed; infinite if open after the wait."""
        async with self._client.port() as sleeper, self._client.port() as waker:
            opening = self._client.request(sleeper, self._server)
            answer = await self._client.ask(opening, PATIENCE)
            if answer is None or answer.mapped is None or opening.first_sent_s is None:
                return Told(None, UNSURE)
            await asyncio.sleep(wait_s)  # what is measured: packets either way may refresh a NAT
            waking = self._client.request(waker, self._server, response_port=answer.mapped[1])
            trips_s = await self._repeat([waking], [], waker)
            heard = _heard(waking)
            if heard is None:
                if trips_s is None:
                    return Told(None, UNSURE)
                return Told(waking.last_sent_s + trips_s - opening.first_sent_s)
            if heard.error:
                return Told(None, f"the server refuses RESPONSE-PORT ({heard.error})")
            if heard.local != sleeper.address:
                return Told(None, "the server ignores RESPONSE-PORT and answers who asked")
            return Told(math.inf)


def _heard(request: Request) -> Answer | None:
    return request.answer.result() if request.answer.done() else None


async def _answers_over_tcp(server: Address) -> bool:
    """Tell whether a server answers a Binding request over TCP (RFC 8489, section 6.2.2)."""
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    with contextlib.suppress(OSError, EOFError, MalformedMessageError):
        async with asyncio.timeout(TCP_S):
            reader, writer = await asyncio.open_connection(*server)
            try:
                writer.write(bytes(request))
                head = await reader.readexactly(HEADER_LENGTH)
                data = head + await reader.readexactly(int.from_bytes(head[2:4], "big"))
                return parse(data).message.transaction_id == request.transaction_id
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    return False
