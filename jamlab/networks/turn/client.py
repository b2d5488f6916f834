"""A STUN and TURN client that reports why a server failed (RFC 8489, RFC 8656).

aioice's client belongs to an ICE agent, which has other candidates: it silently drops responses
that are not STUN, wrong signatures and refused connections. A test of a server needs exactly these,
so here each becomes a `ServerFaultError`.

There is one request at a time, and the waiting caller reads from the wire, so no task runs.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aioice import stun
from aioice.turn import UDP_TRANSPORT, make_integrity_key

from jamlab.networks.model.packet import Address
from jamlab.networks.stun.message import MalformedMessageError, parse
from jamlab.networks.turn.fault import Fault, ServerFaultError
from jamlab.networks.turn.wire import Wire

FIRST_RETRANSMISSION_S = 0.5
"""Initial retransmission timeout over UDP; it doubles (RFC 8489, section 6.2.1)."""

LIFETIME_S = 60
"""Requested lifetime: short, so that an allocation without a final Refresh soon expires."""

_FAULTS = {403: Fault.FORBIDDEN, 486: Fault.QUOTA, 508: Fault.CAPACITY}
_UNAUTHENTICATED = (400, 401, 438, 441)
_MOST_WAITING = 64
_QUOTA_RETRIES, _QUOTA_RETRY_S = 2, 1.0
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
        self._wire = wire
        self._credential = credential
        self._timeout_s = timeout_s
        self._proof: dict[str, Any] = {}
        self._key: bytes | None = None
        self._data: deque[tuple[bytes, Address]] = deque(maxlen=_MOST_WAITING)
        self._strange = ""

    @property
    def local_host(self) -> str:
        """Local address of the wire."""
        return self._wire.local[0]

    async def bind(self) -> Address:
        """Return the server-reflexive address (Binding request, RFC 8489, section 2).

        Raises `ServerFaultError`, with the reason, if the request fails.
        """
        response = await self._answer_to(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))
        return self._mapped(response.attributes)

    async def allocate(self) -> Relay:
        """Create an allocation (RFC 8656, section 7); errors: see `bind`."""
        wanted = {"LIFETIME": LIFETIME_S, "REQUESTED-TRANSPORT": UDP_TRANSPORT}
        response = await self._request(stun.Method.ALLOCATE, wanted)
        relayed = response.attributes.get("XOR-RELAYED-ADDRESS")
        if relayed is None:
            raise ServerFaultError(Fault.NOT_STUN, "an allocation without a relayed address")
        return Relay(relayed, self._mapped(response.attributes))

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
            await self._next()
        return self._data.popleft()

    async def _request(self, method: stun.Method, attributes: dict[str, Any]) -> stun.Message:
        """Send a request, with the credential once the realm is known (RFC 8489, section 9)."""
        for _ in range(_ATTEMPTS):
            response = await self._answer_to(self._signed(method, attributes))
            code = response.error_code
            self.is_authenticated = self._key is not None and code not in _UNAUTHENTICATED
            if response.message_class == stun.Class.RESPONSE:
                return response
            if not self._may_ask_again(response):
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

    def _refusal(self, response: stun.Message) -> ServerFaultError:
        code, phrase = response.attributes.get("ERROR-CODE", (0, ""))
        if code in (401, 441) and self._key is not None:
            return ServerFaultError(Fault.WRONG_CREDENTIALS, f"{code} {phrase}".strip())
        return ServerFaultError(_FAULTS.get(code, Fault.OTHER_ERROR), f"{code} {phrase}".strip())

    async def _answer_to(self, request: stun.Message) -> stun.Message:
        """Send a request, with retransmissions over UDP, and wait for its response."""
        loop, wait_s = asyncio.get_running_loop(), FIRST_RETRANSMISSION_S
        began_s = loop.time()
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    self._wire.send(bytes(request))
                    try:
                        async with asyncio.timeout(None if self._wire.is_reliable else wait_s):
                            response = await self._answer(request)
                    except TimeoutError:
                        wait_s *= 2
                    else:
                        break
        except TimeoutError:
            raise self._silence() from None
        if wait_s == FIRST_RETRANSMISSION_S:
            self.round_trips_s.append(loop.time() - began_s)
        return response

    async def _answer(self, request: stun.Message) -> stun.Message:
        while True:
            message = await self._next()
            if message is not None and self._answers(message, request):
                self.software = message.attributes.get("SOFTWARE", self.software)
                return message

    async def _next(self) -> stun.Message | None:
        """Return the next message; queue relayed data, and note why a message is malformed."""
        data = await self._wire.receive()
        try:
            message = parse(data).message
        except MalformedMessageError as error:
            self._strange = str(error)
            return None
        found = message.attributes
        if message.message_method != stun.Method.DATA:
            return message
        if {"DATA", "XOR-PEER-ADDRESS"} <= found.keys():
            self._data.append((found["DATA"], found["XOR-PEER-ADDRESS"]))
        return None

    def _answers(self, message: stun.Message, request: stun.Message) -> bool:
        """Return whether a message answers a request; a success must be signed like the request."""
        kind = message.message_method, message.transaction_id
        if kind != (request.message_method, request.transaction_id):
            return False
        if message.message_class == stun.Class.ERROR:
            return message.error_code is not None
        if message.message_class != stun.Class.RESPONSE:
            return False
        signed = "MESSAGE-INTEGRITY" in request.attributes
        if not signed or message.check_message_integrity(self._key or b""):
            return True
        self._strange = "a success response that is not signed with the password"
        return False

    def _silence(self) -> ServerFaultError:
        fault = Fault.NOT_STUN if self._strange else Fault.SILENT
        return ServerFaultError(fault, self._strange)

    def _mapped(self, found: dict[str, Any]) -> Address:
        mapped: Address | None = found.get("XOR-MAPPED-ADDRESS", found.get("MAPPED-ADDRESS"))
        if mapped is None:
            raise ServerFaultError(Fault.NOT_STUN, "a success response without a mapped address")
        return mapped
