"""A STUN client over UDP with several ports and one table of transactions (RFC 8489).

A transaction of aioice takes responses at the request's port alone. In NAT behaviour discovery (RFC
5780) a response may arrive at another port, or the request itself may come back by hairpinning. So
a message at any port is matched by its transaction ID alone: only the server and the systems on the
path know it.
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
    """Retransmission timing over UDP (RFC 8489, section 6.2.1); raises ValueError if invalid."""

    rto_s: float = 0.5
    """Seconds from the first transmission to the second; each later wait doubles."""
    rc: int = 7
    """Number of transmissions."""
    rm: float = 16.0
    """Wait after the last transmission, in units of `rto_s`."""

    def __post_init__(self) -> None:
        if not (self.rto_s > 0 and self.rc >= 1 and self.rm > 0):
            raise ValueError(
                f"{self} sends nothing: give rto_s and rm above 0, and rc of 1 or more"
            )

    def waits_s(self) -> Iterator[float]:
        """Yield the wait after each transmission, in seconds."""
        yield from (self.rto_s * 2**sent for sent in range(self.rc - 1))
        yield self.rto_s * self.rm

    @property
    def total_s(self) -> float:
        """Time until the request fails, in seconds."""
        return sum(self.waits_s())


class Request:
    """A Binding request that can be sent repeatedly; `extra` has attributes unknown to aioice."""

    def __init__(
        self, port: Endpoint, destination: Address, message: stun.Message, extra: list[Attribute]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._port = port
        self._destination = destination
        self._data = encode(message, extra=extra)
        self.answer: asyncio.Future[Answer] = self._loop.create_future()
        """The first answer, at any port."""
        self.first_sent_s = math.inf
        """Time of the first transmission, on the loop's clock in seconds."""
        self.last_sent_s = -math.inf

    def send(self) -> None:
        """Send it, for the first time or again."""
        self.last_sent_s = self._loop.time()
        self.first_sent_s = min(self.first_sent_s, self.last_sent_s)
        self._port.send(self._data, self._destination)

    def take(self, received: Received, source: Address, local: Address) -> None:
        """Take a message with this transaction ID; only the first counts.

        The request itself, at the port that sent it, is an echo of the server, not hairpinning.
        """
        echo = received.message.message_class is stun.Class.REQUEST and local == self._port.address
        if not self.answer.done() and not echo:
            round_trip_s = self._loop.time() - self.first_sent_s
            answer = answer_of(received.message, source, local, round_trip_s)
            self.answer.set_result(answer)


class StunClient:
    """Send Binding requests to STUN servers from ports of one local IPv4 address."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.unsendable = 0
        """Requests that the system refused to send."""
        self._requests: dict[bytes, Request] = {}

    @asynccontextmanager
    async def port(self) -> AsyncIterator[Endpoint]:
        """Open a fresh UDP port in the context; raises OSError for a host that is not local."""
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
        """Make a Binding request without sending it.

        `change` has the flags of CHANGE-REQUEST, `response_port` is the value of RESPONSE-PORT (RFC
        5780, sections 7.2 and 7.5).
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
        """Send a request with retransmissions; return its answer, or None after the last wait."""
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
