"""A probe of one STUN or TURN server, which asks everything that a call will ask of it.

There are up to four steps, in this order, and a probe ends at the first that fails:

- *reachable*: the server answers as a STUN server does;
- *authenticates*: it accepts user and password (TURN; a server that asks for none passes);
- *allocates*: it grants an allocation;
- *relays*: a datagram goes from this machine through the relay to the client, and one goes back.

For the last step a second socket of this machine is the peer. It sends first, so the relay sees its
address outside any NAT, and the answer goes there, as in ICE. Where no UDP leaves this machine, two
allocations of the server are the peers of each other.
"""

import math
import ssl
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from jamlab.ice.configuration import IceServer
from jamlab.ice.time_limited import expiry_s
from jamlab.networks.model.packet import TCP, UDP, Address
from jamlab.networks.turn.client import Credential, Relay, TurnClient
from jamlab.networks.turn.fault import Fault, ServerFaultError
from jamlab.networks.turn.peer import Peer, open_socket_peer, relay_round_trip_s
from jamlab.networks.turn.wire import TLS, open_wire

WORKS = "works"
"""Outcome for a server that passed all steps; any other outcome is a `Fault`."""

REACHABLE, AUTHENTICATES, ALLOCATES, RELAYS = "reachable", "authenticates", "allocates", "relays"
STEPS = REACHABLE, AUTHENTICATES, ALLOCATES, RELAYS

TIMEOUT_S = 5.0
"""Limit for each answer: aiortc's limit for gathering candidates."""
ROUNDS = 5
"""Number of round trips of which a figure is the median."""

SOCKET, RELAY = "socket", "relay"
"""The peer that the datagrams came from: a socket of this machine, or another allocation."""

_SECURED = {UDP: "dtls", TCP: TLS}
_AFTER_AUTHENTICATION = {Fault.QUOTA, Fault.CAPACITY, Fault.FORBIDDEN}  # RFC 8656, section 7.2


@dataclass(frozen=True, slots=True)
class ServerProbe:
    """Result of a probe; the fields are columns of a record."""

    url: str
    kind: str
    """``"stun"`` or ``"turn"``."""
    transport: str
    """``"udp"``, ``"tcp"``, ``"tls"``, or another that the URL names."""
    outcome: str
    """`WORKS`, or the `Fault` it ended with."""
    detail: str = ""
    """The error as the server, the system or the TLS library worded it."""
    step: str = ""
    """The failed step of `STEPS`; empty if none failed."""
    peer: str = ""
    """``"socket"`` or ``"relay"``: the origin of the relayed datagram; empty if none came."""
    round_trip_s: float = math.nan
    """Median round-trip time of requests."""
    round_trips: int = 0
    """Number of these round trips."""
    relay_round_trip_s: float = math.nan
    """Median round-trip time from the peer through the relay to the client and back."""
    software: str = ""
    """The server's SOFTWARE attribute (RFC 8489 §14.14)."""

    @property
    def works(self) -> bool:
        """Whether the server passed all steps."""
        return self.outcome == WORKS

    def passed(self, step: str) -> bool | None:
        """Return whether a step was passed; None if it was not reached or is not for this kind."""
        steps = STEPS if self.kind == "turn" else STEPS[:1]
        if step not in steps:
            return None
        if not self.step:
            return True
        at, failed = steps.index(step), steps.index(self.step)
        return None if at > failed else at < failed


async def probe(
    server: IceServer,
    *,
    now_s: float,
    timeout_s: float = TIMEOUT_S,
    rounds: int = ROUNDS,
    tls: ssl.SSLContext | None = None,
) -> ServerProbe:
    """Probe a server.

    `now_s` is Unix time, to tell expired credentials from wrong ones. A round-trip time is the
    median of `rounds`, at least 1. The trusted authorities are by default those of
    `jamlab.networks.turn.wire.open_wire`.
    """
    probing = _Probing(server, timeout_s, rounds, tls)
    try:
        await probing.ask()
    except ServerFaultError as error:
        fault, step = error.fault, probing.step
        if fault is Fault.WRONG_CREDENTIALS and expiry_s(server.username or "") <= now_s:
            fault = Fault.EXPIRED_CREDENTIALS
        return probing.found(str(fault), error.detail, step)
    return probing.found(WORKS)


class _Probing:
    """A probe under way."""

    def __init__(
        self, server: IceServer, timeout_s: float, rounds: int, tls: ssl.SSLContext | None
    ) -> None:
        parsed = server.parsed
        self._server = server
        self._at: Address = parsed["host"], parsed["port"]
        self._transport = _transport(parsed)
        self._timeout_s = timeout_s
        self._rounds = rounds
        self._tls = tls
        self._asked: TurnClient | None = None
        self._peer = ""
        self._relay_round_trips_s: list[float] = []
        self.step = REACHABLE
        """The current step."""

    def found(self, outcome: str, detail: str = "", step: str = "") -> ServerProbe:
        """Return the result of the probe."""
        asked_s = self._asked.round_trips_s if self._asked else []
        return ServerProbe(
            url=self._server.urls,
            kind="turn" if self._server.is_turn else "stun",
            transport=self._transport,
            outcome=outcome,
            detail=detail,
            step=step,
            peer=self._peer,
            round_trip_s=_median(asked_s),
            round_trips=len(asked_s),
            relay_round_trip_s=_median(self._relay_round_trips_s),
            software=self._asked.software if self._asked else "",
        )

    async def ask(self) -> None:
        """Take the steps; raise `ServerFaultError` at the first that fails."""
        async with self._client() as client:
            self._asked = client
            if self._server.is_turn:
                await self._use_relay(client)
            else:
                for _ in range(self._rounds):
                    await client.bind()

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[TurnClient]:
        if self._transport not in (UDP, TCP, TLS):
            raise ServerFaultError(Fault.UNSUPPORTED)
        username, password = self._server.username, self._server.credential
        credential = Credential(username, password) if username and password else None
        opening = open_wire(*self._at, self._transport, timeout_s=self._timeout_s, tls=self._tls)
        async with opening as wire:
            yield TurnClient(wire, credential, timeout_s=self._timeout_s)

    async def _use_relay(self, client: TurnClient) -> None:
        try:
            async with client.allocation() as relay:
                self.step = RELAYS
                for _ in range(self._rounds):
                    await client.refresh()
                await self._relay(client, relay)
        except ServerFaultError as error:
            if self.step != RELAYS:
                await self._explain(client, error)
            raise

    async def _explain(self, client: TurnClient, error: ServerFaultError) -> None:
        """Find out in which step a refused allocation failed."""
        if client.is_authenticated or error.fault in _AFTER_AUTHENTICATION:
            self.step = ALLOCATES
        elif client.has_answered:
            self.step = AUTHENTICATES
        elif error.fault is Fault.SILENT:
            await client.bind()  # a STUN server does not answer TURN requests
            self.step = AUTHENTICATES
            raise ServerFaultError(Fault.NO_TURN) from error

    async def _relay(self, client: TurnClient, relay: Relay) -> None:
        """Send through a relay: from a socket or, if that does not arrive, from another relay."""
        try:
            async with open_socket_peer(client.local_host) as peer:
                await client.permit(relay.mapped)
                await self._go_round(peer, client, relay)
                self._peer = SOCKET
        except ServerFaultError as error:
            if error.fault is not Fault.NOT_RELAYED or self._transport == UDP:
                raise
            await self._relay_to_relay(client, relay, error)

    async def _relay_to_relay(
        self, client: TurnClient, relay: Relay, error: ServerFaultError
    ) -> None:
        try:
            async with self._client() as peer, peer.allocation() as other:
                await client.permit(other.relayed)
                await peer.permit(relay.relayed)
                await self._go_round(peer, client, relay)
                self._peer = RELAY
        except ServerFaultError:
            raise error from None

    async def _go_round(self, peer: Peer, client: TurnClient, relay: Relay) -> None:
        for _ in range(self._rounds):
            self._relay_round_trips_s.append(
                await relay_round_trip_s(peer, client, relay.relayed, timeout_s=self._timeout_s)
            )


def _transport(parsed: dict[str, Any]) -> str:
    """Return the transport to a server: ``"udp"``, ``"tcp"``, ``"tls"`` or another."""
    secured = parsed["scheme"].endswith("s")
    wanted: str = parsed.get("transport", TCP if secured else UDP)
    return _SECURED.get(wanted, wanted) if secured else wanted


def _median(values_s: list[float]) -> float:
    return statistics.median(values_s) if values_s else math.nan
