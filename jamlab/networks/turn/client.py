"""A STUN and TURN client that reports why a server failed (RFC 8489, RFC 8656).

aioice's client belongs to an ICE agent, which has other candidates: it silently drops responses
that are not STUN or cannot be used, wrong signatures and refused connections. A test of a server
needs exactly these, so here each becomes a `ServerFaultError`.

There is one request at a time, and the waiting caller reads from the wire, so no task runs.
"""

import asyncio
import itertools
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aioice import stun
from aioice.turn import UDP_TRANSPORT, make_integrity_key

from jamlab.networks.model.packet import Address
from jamlab.networks.stun.message import MalformedMessageError, Received, parse, transaction_id_of
from jamlab.networks.stun.response import (
    TRY_ALTERNATE,
    UnusableError,
    error_text,
    mapped_address,
    printable,
    read_response,
    usable_ipv4,
)
from jamlab.networks.turn.fault import CONNECTED, Fault, ServerFaultError
from jamlab.networks.turn.wire import Wire

FIRST_RETRANSMISSION_S = 0.5
"""Initial retransmission timeout over UDP; it doubles (RFC 8489, section 6.2.1)."""

LIFETIME_S = 60
"""Requested lifetime: short, so that an allocation without a final Refresh soon expires."""

_FAULTS = {TRY_ALTERNATE: Fault.ELSEWHERE, 403: Fault.FORBIDDEN}
_FAULTS |= {486: Fault.QUOTA, 508: Fault.CAPACITY}
_UNAUTHENTICATED = (400, 401, 438, 441)
_MOST_WAITING = 64
_QUOTA_RETRIES, _QUOTA_RETRY_S = 2, 1.0
_DATA_INDICATION = (stun.Method.DATA | stun.Class.INDICATION).to_bytes(2, "big")
_ENOUGH = 2  # requests without a usable answer among others, after which no more are sent
_ATTEMPTS = 4  # without credentials, with them, and twice with a new nonce


@dataclass(frozen=True, slots=True)
class Credential:
    """Long-term credential of a TURN server (RFC 8489, section 9.2)."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Credential(…)"


@dataclass(frozen=True, slots=True)
class Relay:
    """An allocation as its client sees it."""

    relayed: Address
    """The relayed transport address, to which peers send."""
    mapped: Address
    """The client's server-reflexive address."""


class TurnClient:
    """Send requests to one server over a wire; TURN needs a credential, STUN none.

    `timeout_s` limits a request, with its retransmissions over UDP.
    """

    def __init__(
        self, wire: Wire, credential: Credential | None = None, *, timeout_s: float
    ) -> None:
        self.round_trips_s: list[float] = []
        """Round-trip times of requests without retransmission (Karn's rule)."""
        self.software = ""
        """The server's SOFTWARE attribute (RFC 8489, section 14.14)."""
        self.is_authenticated = False
        """Whether the server has accepted the credential."""
        self.has_answered = False
        """Whether the server has given a usable response, perhaps an error."""
        self._wire = wire
        self._credential = credential
        self._timeout_s = timeout_s
        self._proof: dict[str, Any] = {}
        self._key: bytes | None = None
        self._data: deque[tuple[bytes, Address]] = deque(maxlen=_MOST_WAITING)
        self._asked: set[bytes] = set()
        """The transaction IDs of all requests."""
        self._unusable: UnusableError | None = None
        self._unusable_count = 0

    @property
    def local_host(self) -> str:
        """Local address of the wire."""
        return self._wire.local[0]

    async def bind(self) -> Address:
        """Return the server-reflexive address (Binding request, RFC 8489, section 2).

        Raises `ServerFaultError`, with the reason, if the request fails.
        """
        response = await self._answer_to(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))
        if (code := response.message.error_code) is not None:
            fault = Fault.ELSEWHERE if code == TRY_ALTERNATE else Fault.OTHER_ERROR
            raise ServerFaultError(fault, error_text(response))
        return _present(mapped_address(response), "mapped")

    async def allocate(self) -> Relay:
        """Create an allocation (RFC 8656, section 7); errors: see `bind`."""
        wanted = {"LIFETIME": LIFETIME_S, "REQUESTED-TRANSPORT": UDP_TRANSPORT}
        response = await self._request(stun.Method.ALLOCATE, wanted)
        relayed = usable_ipv4(response.message.attributes.get("XOR-RELAYED-ADDRESS"))
        mapped = _present(mapped_address(response), "mapped")
        return Relay(_present(relayed, "relayed"), mapped)

    @asynccontextmanager
    async def allocation(self) -> AsyncIterator[Relay]:
        """Hold an allocation while the context lasts; errors: see `bind`.

        A full quota is tried again: coturn takes a second to forget a deleted allocation.
        """
        relay = await self._allocate_patiently()
        try:
            yield relay
        finally:
            with suppress(ServerFaultError):
                await self.refresh(0)

    async def _allocate_patiently(self) -> Relay:
        for _ in range(_QUOTA_RETRIES):
            try:
                return await self.allocate()
            except ServerFaultError as error:
                if error.fault is not Fault.QUOTA:
                    raise
            await asyncio.sleep(_QUOTA_RETRY_S)
        return await self.allocate()

    async def refresh(self, lifetime_s: int = LIFETIME_S) -> None:
        """Refresh the allocation, or with 0 delete it (RFC 8656, section 8); errors: see `bind`."""
        await self._request(stun.Method.REFRESH, {"LIFETIME": lifetime_s})

    async def permit(self, peer: Address) -> None:
        """Create a permission for a peer's host (RFC 8656, section 10); errors: see `bind`."""
        await self._request(stun.Method.CREATE_PERMISSION, {"XOR-PEER-ADDRESS": peer})

    def send(self, data: bytes, peer: Address) -> None:
        """Send data to a peer through the allocation (RFC 8656, section 11)."""
        attributes = {"XOR-PEER-ADDRESS": peer, "DATA": data}
        indication = stun.Message(stun.Method.SEND, stun.Class.INDICATION, attributes=attributes)
        self._wire.send(bytes(indication))

    async def receive(self) -> tuple[bytes, Address]:
        """Return data that arrived at the relayed address, and its peer's address.

        Raises `ServerFaultError` if the wire breaks.
        """
        while not self._data:
            self._queue(await self._wire.receive())
        return self._data.popleft()

    async def _request(self, method: stun.Method, attributes: dict[str, Any]) -> Received:
        """Send a request, with the credential once the realm is known (RFC 8489, section 9)."""
        for _ in range(_ATTEMPTS):
            response = await self._answer_to(self._signed(method, attributes))
            code = response.message.error_code
            self.is_authenticated = self._key is not None and code not in _UNAUTHENTICATED
            if response.message.message_class == stun.Class.RESPONSE:
                return response
            if not self._may_ask_again(response.message):
                break
        raise self._refusal(response)

    def _signed(self, method: stun.Method, attributes: dict[str, Any]) -> stun.Message:
        request = stun.Message(method, stun.Class.REQUEST, attributes=attributes | self._proof)
        if self._key is not None:
            request.add_message_integrity(self._key)
        return request

    def _may_ask_again(self, response: stun.Message) -> bool:
        """Take realm and nonce from an error response that asks for them."""
        attributes = response.attributes
        code, nonce = response.error_code, attributes.get("NONCE")
        if self._credential is None or nonce is None:
            return False
        if code == 438 and self._key is not None:
            self._proof["NONCE"] = nonce
            return True
        if code != 401 or self._key is not None or "REALM" not in attributes:
            return False
        name, realm = self._credential.username, attributes["REALM"]
        self._proof = {"USERNAME": name, "REALM": realm, "NONCE": nonce}
        self._key = make_integrity_key(name, realm, self._credential.password)
        return True

    def _refusal(self, response: Received) -> ServerFaultError:
        code, text = response.message.error_code or 0, error_text(response)
        if code in (401, 441) and self._key is not None:
            return ServerFaultError(Fault.WRONG_CREDENTIALS, text)
        return ServerFaultError(_FAULTS.get(code, Fault.OTHER_ERROR), text)

    async def _answer_to(self, request: stun.Message) -> Received:
        """Send a request, with retransmissions over UDP, and wait for its response."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self._asked.add(request.transaction_id)
        self._unusable, self._unusable_count = None, 0
        try:
            async with asyncio.timeout(self._timeout_s):
                response, sent = await self._exchange(request)
        except TimeoutError:
            raise self._silence() from None
        if sent == 1:
            self.round_trips_s.append(loop.time() - began_s)
        self.has_answered = True
        self.software = printable(response.message.attributes.get("SOFTWARE", self.software))
        return response

    async def _exchange(self, request: stun.Message) -> tuple[Received, int]:
        """Send a request until it is answered; return its response and the times it was sent.

        Raises `ServerFaultError` when nothing but answers that cannot be used come.
        """
        wait_s = math.inf if self._wire.is_reliable else FIRST_RETRANSMISSION_S
        for sent in itertools.count(1):
            self._wire.send(bytes(request))
            try:
                async with asyncio.timeout(wait_s if wait_s < math.inf else None):
                    return await self._answer(request), sent
            except TimeoutError:
                wait_s *= 2
            if self._unusable_count >= sent >= _ENOUGH:
                break
        raise self._silence()

    async def _answer(self, request: stun.Message) -> Received:
        while True:
            data = await self._next()
            try:
                return self._read(data, request)
            except UnusableError as error:
                self._note(data, request, error)

    def _note(self, data: bytes, request: stun.Message, error: UnusableError) -> None:
        """Note that an answer cannot be used, unless it is a late one to an earlier request.

        Raises `ServerFaultError` where no better one can follow.
        """
        if transaction_id_of(data) == request.transaction_id:
            self._unusable, self._unusable_count = error, self._unusable_count + 1
            if self._wire.is_reliable:
                raise self._silence()
        elif self._unusable_count == 0 and transaction_id_of(data) not in self._asked:
            self._unusable = error

    async def _next(self) -> bytes:
        """Return the next message that is not relayed data; queue such data."""
        while self._queue(data := await self._wire.receive()):
            pass
        return data

    def _queue(self, message: bytes) -> bool:
        """Queue the data of a message; return whether it is relayed data."""
        if not message.startswith(_DATA_INDICATION):
            return False
        with suppress(MalformedMessageError):
            found = parse(message).message.attributes
            if {"DATA", "XOR-PEER-ADDRESS"} <= found.keys():
                self._data.append((found["DATA"], found["XOR-PEER-ADDRESS"]))
        return True

    def _read(self, data: bytes, request: stun.Message) -> Received:
        """Read the response to a request; a success must be signed like the request."""
        received = read_response(data, request.message_method, request.transaction_id)
        if received.message.message_class is not stun.Class.RESPONSE:
            return received
        is_signed = "MESSAGE-INTEGRITY" in request.attributes
        if is_signed and not received.is_signed_with(self._key or b""):
            raise UnusableError("a success response that is not signed with the password")
        return received

    @property
    def _is_accepted(self) -> bool:
        """Whether the server has accepted the connection, and said nothing over it."""
        return self._wire.is_reliable and not self.has_answered

    def _silence(self) -> ServerFaultError:
        """Return the fault when no usable answer came."""
        if self._unusable is None:
            return ServerFaultError(Fault.SILENT, CONNECTED if self._is_accepted else "")
        fault = Fault.UNUSABLE if self._unusable.is_stun else Fault.NOT_STUN
        return ServerFaultError(fault, str(self._unusable))


def _present(address: Address | None, name: str) -> Address:
    if address is None:
        raise ServerFaultError(Fault.UNUSABLE, f"a success without a {name} IPv4 address")
    return address
