"""A STUN client over UDP, with several ports and one table of what it asked (RFC 8489).

aioice has a transaction that belongs to one port and takes answers there. To find out how a NAT
behaves (RFC 5780), an answer is wanted at another port than the request's, or the request itself
comes back by hairpinning. So what comes in at any port is looked up by its transaction ID alone:
who has that was sent the request, or is on its way.
"""

import asyncio
import math
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aioice import stun

from jamlab.networks.model.packet import Address
from jamlab.networks.stun.answer import Answer, answer_of
from jamlab.networks.stun.endpoint import Endpoint, open_endpoint
from jamlab.networks.stun.message import (
    RESPONSE_PORT,
    Attribute,
    MalformedMessageError,
    Received,
    encode,
    parse,
)


@dataclass(frozen=True, slots=True)
class Retransmission:
    """When a request is sent again over UDP, and when it is given up (RFC 8489, section 6.2.1).

    Raises
    ------
    ValueError
        When a field has no meaning.
    """

    rto_s: float = 0.5
    """Seconds from the first request to the second; each of the next waits doubles."""
    rc: int = 7
    """How often it is sent in all."""
    rm: float = 16.0
    """How long the last one is waited for, in units of `rto_s`."""

    def __post_init__(self) -> None:
        if not (self.rto_s > 0 and self.rc >= 1 and self.rm > 0):
            raise ValueError(
                f"{self} sends nothing: give rto_s and rm above 0, and rc of 1 or more"
            )

    def waits_s(self) -> Iterator[float]:
        """Yield how long to wait after each sending, in seconds."""
        yield from (self.rto_s * 2**sent for sent in range(self.rc - 1))
        yield self.rto_s * self.rm

    @property
    def total_s(self) -> float:
        """How long it takes to give up, in seconds."""
        return sum(self.waits_s())


class Request:
    """A Binding request that can be sent more than once.

    Parameters
    ----------
    port : Endpoint
        Where it leaves from.
    destination : Address
        Whom it asks.
    message : aioice.stun.Message
        What it asks.
    extra : sequence of Attribute
        What aioice cannot write.
    """

    def __init__(
        self, port: Endpoint, destination: Address, message: stun.Message, extra: list[Attribute]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._port = port
        self._destination = destination
        self._data = encode(message, extra=extra)
        self.answer: asyncio.Future[Answer] = self._loop.create_future()
        """The first that comes, at any port."""
        self.first_sent_s = math.inf
        """When it was sent first, by the loop's clock in seconds."""
        self.last_sent_s = -math.inf
        """When it was sent last."""

    def send(self) -> None:
        """Send it, for the first time or again."""
        self.last_sent_s = self._loop.time()
        self.first_sent_s = min(self.first_sent_s, self.last_sent_s)
        self._port.send(self._data, self._destination)

    def take(self, received: Received, source: Address, local: Address) -> None:
        """Take what came with its transaction ID; only the first counts.

        The request itself, where it was sent from, is an echo of the server's: no hairpinning.
        """
        echo = received.message.message_class is stun.Class.REQUEST and local == self._port.address
        if not self.answer.done() and not echo:
            round_trip_s = self._loop.time() - self.first_sent_s
            answer = answer_of(received.message, source, local, round_trip_s)
            self.answer.set_result(answer)


class StunClient:
    """Ask STUN servers from ports of one host.

    Parameters
    ----------
    host : str
        The IPv4 address to ask from.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self.unsendable = 0
        """Requests the system refused to send."""
        self._requests: dict[bytes, Request] = {}

    @asynccontextmanager
    async def port(self) -> AsyncIterator[Endpoint]:
        """Open a port that nobody has used, as long as the context lasts.

        Raises
        ------
        OSError
            The host is none of this machine's.
        """
        endpoint = await open_endpoint((self.host, 0), self._receive, self)
        try:
            yield endpoint
        finally:
            endpoint.close()
            await endpoint.wait_closed()

    def request(
        self,
        port: Endpoint,
        destination: Address,
        *,
        change: int = 0,
        response_port: int | None = None,
    ) -> Request:
        """Make a Binding request, which is not sent yet.

        Parameters
        ----------
        port : Endpoint
            Where it leaves from.
        destination : Address
            Whom it asks.
        change : int
            Flags of CHANGE-REQUEST: from where the answer shall come (RFC 5780, section 7.2).
        response_port : int, optional
            The port where the answer shall go to (RFC 5780, section 7.5).
        """
        attributes = {"CHANGE-REQUEST": change} if change else {}
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes=attributes)
        extra = []
        if response_port is not None:
            extra.append(Attribute(RESPONSE_PORT, struct.pack("!HH", response_port, 0)))
        request = Request(port, destination, message, extra)
        self._requests[message.transaction_id] = request
        return request

    async def ask(
        self, request: Request, retransmission: Retransmission = Retransmission()
    ) -> Answer | None:
        """Send a request, and again while no answer comes; return None when none came at all."""
        for wait_s in retransmission.waits_s():
            request.send()
            done, _ = await asyncio.wait({request.answer}, timeout=wait_s)
            if done:
                return request.answer.result()
        return None

    def _receive(self, data: bytes, source: Address, local: Address) -> None:
        try:
            received = parse(data)
        except MalformedMessageError:
            return
        message = received.message
        request = self._requests.get(message.transaction_id)
        if request is None or message.message_method is not stun.Method.BINDING:
            return
        if message.message_class is not stun.Class.REQUEST and received.unknown():
            return  # RFC 8489, sections 6.3.3 and 6.3.4
        if message.message_class is not stun.Class.INDICATION:
            request.take(received, source, local)
