"""Requests of NAT behaviour discovery, sent from ports of this host to one STUN server.

A request that every server answers is a transaction with retransmissions. A request that a NAT may
leave unanswered is sent in rounds, each with a control: a plain request over the same path
(`jamlab.networks.discovery.conclusions` defines when silence counts).
"""

import asyncio
import math
from collections.abc import Sequence

from jamlab.networks.discovery.conclusions import CONTROLS, UNSURE, Conclusion
from jamlab.networks.model.packet import Address
from jamlab.networks.stun.answer import Answer
from jamlab.networks.stun.client import Request, Retransmission, StunClient
from jamlab.networks.stun.core import CHANGE_IP, CHANGE_PORT
from jamlab.networks.stun.endpoint import Endpoint
from jamlab.networks.turn.client import TurnClient
from jamlab.networks.turn.fault import ServerFaultError
from jamlab.networks.turn.wire import open_wire

PATIENCE = Retransmission(rc=5, rm=8)
"""For requests that every server answers: 11.5 s, where the defaults of RFC 8489 take 39.5 s."""

INTERVAL_S = 0.1
"""Time between rounds."""
ROUNDS = 100
"""Largest number of rounds: silence counts when a server answers 8 of 100 controls."""
GRACE_S = 1.0
"""Wait for answers after the last round."""
ONCE_MORE_S = 5.0
"""Time limit for an answer when the first requests got none."""


class Inquiry:
    """The requests of one discovery to one server."""

    def __init__(self, client: StunClient, server: Address) -> None:
        self.client = client
        self.server = server
        self.fresh: list[tuple[Address, Address]] = []
        """Local and first mapped address of each port."""

    async def ask(self, port: Endpoint) -> Answer | None:
        """Ask for the mapped address of a fresh port."""
        answer = await self.client.ask(self.client.request(port, self.server), PATIENCE)
        if answer is not None and answer.mapped is not None:
            self.fresh.append((port.address, answer.mapped))
        return answer

    async def seen_from(
        self, addresses: Sequence[Address], port: Endpoint
    ) -> dict[Address, Address]:
        """Return a port's mapped address by address of the server, for those that answer."""
        requests = [self.client.request(port, address) for address in addresses]
        answers = await asyncio.gather(*(self.client.ask(r, PATIENCE) for r in requests))
        pairs = zip(addresses, answers, strict=True)
        return {address: a.mapped for address, a in pairs if a is not None and a.mapped}

    async def answers_from_elsewhere(self) -> tuple[Answer | None, Answer | None, bool]:
        """Ask for answers from another host and port, and from another port, to a fresh port.

        Return the two answers, and whether silence counts.
        """
        async with self.client.port() as fresh:
            if await self.ask(fresh) is None:
                return None, None, False
            both = self.client.request(fresh, self.server, change=CHANGE_IP | CHANGE_PORT)
            port = self.client.request(fresh, self.server, change=CHANGE_PORT)
            trip_s = await self._repeat([both], [port], fresh)
            return both.heard, port.heard, trip_s is not None

    async def turned_back(self) -> tuple[bool, bool]:
        """Send requests from two fresh ports to each other's mapped address.

        Return whether one arrived, and whether silence counts.
        """
        async with self.client.port() as one, self.client.port() as two:
            answers = await self.ask(one), await self.ask(two)
            mapped = [answer.mapped for answer in answers if answer and answer.mapped]
            if len(mapped) < 2:
                return False, False
            request = self.client.request
            requests = [request(one, mapped[1]), request(two, mapped[0])]
            trip_s = await self._repeat(requests, [], one)
            heard = any(each.heard.hairpinned for each in requests if each.heard)
            return heard, trip_s is not None

    async def closed_after(self, wait_s: float) -> Conclusion[float]:
        """Test whether a fresh port is open to the server after a silent wait (RFC 5780 §4.6).

        Return the seconds after which it was certainly closed; infinite if it was still open.
        """
        async with self.client.port() as sleeper, self.client.port() as waker:
            opening = self.client.request(sleeper, self.server)
            answer = await self.client.ask(opening, PATIENCE)
            await asyncio.sleep(wait_s)  # since the answer came: it may have refreshed the NAT, too
            awake = await self.client.ask(self.client.request(waker, self.server), PATIENCE)
            if not (answer and answer.mapped and awake and awake.mapped):
                return Conclusion(None, UNSURE)
            if awake.mapped[0] != answer.mapped[0]:
                return Conclusion(
                    None,
                    "the NAT has several outside hosts, and RESPONSE-PORT reaches one of them only",
                )
            waking = self.client.request(waker, self.server, response_port=answer.mapped[1])
            trip_s = await self._repeat([waking], [], waker)
            if (heard := waking.heard) is not None:
                return _open(heard, sleeper)
            if trip_s is None:
                return Conclusion(None, UNSURE)
            return Conclusion(waking.last_sent_s + trip_s - opening.first_sent_s)

    async def _repeat(
        self, decisive: Sequence[Request], others: Sequence[Request], port: Endpoint
    ) -> float | None:
        """Send requests until a decisive one is answered or its silence counts.

        Return the longest round-trip time of the controls, which are sent from `port`, in seconds,
        or None when too few of them were answered for silence to count.
        """
        controls: list[Request] = []
        waiting = [request.answer for request in decisive]
        for _ in range(ROUNDS):
            controls.append(self.client.request(port, self.server))
            for request in (*decisive, *others, controls[-1]):
                if not request.answer.done():
                    request.send()
            if await _first(waiting, INTERVAL_S):
                break
            if sum(control.answer.done() for control in controls) >= CONTROLS:
                await _first(waiting, GRACE_S)
                break
        trips_s = [each.heard.round_trip_s for each in controls if each.heard]
        return max(trips_s) if len(trips_s) >= CONTROLS else None


def _open(heard: Answer, sleeper: Endpoint) -> Conclusion[float]:
    if heard.error:
        return Conclusion(None, f"the server refuses RESPONSE-PORT ({heard.error})")
    if heard.local != sleeper.address:
        return Conclusion(None, "the server ignores RESPONSE-PORT: it answers to the sender's port")
    return Conclusion(math.inf)


async def _first(answers: Sequence[asyncio.Future[Answer]], timeout_s: float) -> bool:
    """Wait for the first of several answers; return whether one came."""
    done, _ = await asyncio.wait(answers, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


async def fault_over(
    transport: str, server: Address, local_host: str | None = None
) -> ServerFaultError | None:
    """Ask a server for the mapped address once more; return why that fails, None if it does not.

    An error response is no failure here: the transport works. `local_host` is for UDP.
    """
    try:
        opening = open_wire(*server, transport, timeout_s=ONCE_MORE_S, local_host=local_host)
        async with opening as wire:
            client = TurnClient(wire, timeout_s=ONCE_MORE_S)
            try:
                await client.bind()
            except ServerFaultError:
                if not client.has_answered:
                    raise
    except ServerFaultError as error:
        return error
    return None
