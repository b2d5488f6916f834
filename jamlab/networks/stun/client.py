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
    encode,
    transaction_id_of,
)
from jamlab.networks.stun.response import UnusableError, read_response

_ENOUGH = 2


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
        self._transaction_id = message.transaction_id
        self._data = encode(message, extra=extra)
        self.answer: asyncio.Future[Answer] = self._loop.create_future()
        """The first usable answer, at any port."""
        self.unusable: Answer | None = None
        """The last answer with its transaction ID that cannot be used."""
        self.unusable_count = 0
        """Number of answers that cannot be used."""
        self.stranger: Answer | None = None
        """The last message from its destination with an unknown transaction ID."""
        self.first_sent_s = math.inf
        """Time of the first transmission, on the loop's clock in seconds."""
        self.last_sent_s = -math.inf

    def send(self) -> None:
        """Send it, for the first time or again."""
        self.last_sent_s = self._loop.time()
        self.first_sent_s = min(self.first_sent_s, self.last_sent_s)
        self._port.send(self._data, self._destination)

    @property
    def heard(self) -> Answer | None:
        """The usable answer, or else one that cannot be used; None if none came."""
        return self.answer.result() if self.answer.done() else self.unusable

    def take(self, data: bytes, source: Address, local: Address) -> None:
        """Take a message with this transaction ID; of usable ones only the first counts.

        The request itself at another port is hairpinned; at the port that sent it, the server's
        echo.
        """
        if self.answer.done():
            return
        if data == self._data and local != self._port.address:
            answer = Answer(local, source, self._elapsed_s(), hairpinned=True)
        else:
            answer = self._read(data, source, local)
        if answer.unusable is None:
            self.answer.set_result(answer)
        else:
            self.unusable, self.unusable_count = answer, self.unusable_count + 1

    def take_strange(self, data: bytes, source: Address, local: Address) -> None:
        """Take a message with an unknown transaction ID, if it came from where this one went."""
        if (source, local) == (self._destination, self._port.address):
            self.stranger = self._read(data, source, local)

    def _read(self, data: bytes, source: Address, local: Address) -> Answer:
        try:
            received = read_response(data, stun.Method.BINDING, self._transaction_id)
        except UnusableError as error:
            return Answer(local, source, self._elapsed_s(), unusable=str(error))
        return answer_of(received, source, local, self._elapsed_s())

    def _elapsed_s(self) -> float:
        return self._loop.time() - self.first_sent_s


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
        """Send a request with retransmissions; return its answer, or None after the last wait.

        An answer that cannot be used is returned only if no other comes. Where two requests, or
        more, got nothing else, no further one is sent.
        """
        for sent, wait_s in enumerate(retransmission.waits_s(), 1):
            request.send()
            done, _ = await asyncio.wait({request.answer}, timeout=wait_s)
            if done or request.unusable_count >= sent >= _ENOUGH:
                break
        return request.heard or request.stranger

    def _receive(self, data: bytes, source: Address, local: Address) -> None:
        request = self._requests.get(transaction_id_of(data))
        if request is not None:
            request.take(data, source, local)
            return
        for each in self._requests.values():
            each.take_strange(data, source, local)
