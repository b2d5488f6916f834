"""A STUN and TURN client that says why it was not served (RFC 8489, RFC 8656).

aioice has a client too. It is an ICE agent's: an answer that is no STUN, a signature that does not
fit and a refused connection are all dropped in silence, for an agent has other candidates. Who asks
whether a server works wants to hear of just these, so here each becomes a `ServerFaultError`.

One thing is asked at a time, and whoever asks reads the wire meanwhile, so there is no task to end.
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
"""Initial retransmission timeout over UDP, which doubles (RFC 8489, section 6.2.1)."""

LIFETIME_S = 60
"""Lifetime asked for: should the end not be told, a server that grants it is soon rid of it."""

_FAULTS = {403: Fault.FORBIDDEN, 486: Fault.QUOTA, 508: Fault.CAPACITY}
_UNAUTHENTICATED = (400, 401, 438, 441)
_MOST_WAITING = 64
_QUOTA_RETRIES, _QUOTA_RETRY_S = 2, 1.0
_ATTEMPTS = 4  # without credentials, with them, and twice with a new nonce


@dataclass(frozen=True, slots=True)
class Credential:
    """A user of a TURN server, and the password (RFC 8489, section 9.2)."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Credential(…)"


@dataclass(frozen=True, slots=True)
class Relay:
    """What a server has allocated."""

    relayed: Address
    """The relayed transport address, to which peers send."""
    mapped: Address
    """Where the client is, as the server sees it."""


class TurnClient:
    """Ask one server over a wire.

    Parameters
    ----------
    wire : Wire
        To the server.
    credential : Credential, optional
        Needed by a TURN server; none for STUN.
    timeout_s : float
        How long to wait for an answer, retransmissions over UDP among it.
    """

    def __init__(
        self, wire: Wire, credential: Credential | None = None, *, timeout_s: float
    ) -> None:
        self.round_trips_s: list[float] = []
        """Of each request that was answered without having been sent twice (Karn's rule)."""
        self.software = ""
        """What the server calls itself (SOFTWARE, RFC 8489, section 14.14)."""
        self.is_authenticated = False
        """Whether the server has answered a request with the credential, and not refused that."""
        self._wire = wire
        self._credential = credential
        self._timeout_s = timeout_s
        self._proof: dict[str, Any] = {}
        self._key: bytes | None = None
        self._data: deque[tuple[bytes, Address]] = deque(maxlen=_MOST_WAITING)
        self._strange = ""

    @property
    def local_host(self) -> str:
        """Address of this machine on the way to the server."""
        return self._wire.local[0]

    async def bind(self) -> Address:
        """Ask for the own address as the server sees it (RFC 8489, section 2).

        Raises
        ------
        ServerFaultError
            There was no such answer, and why.
        """
        response = await self._answer_to(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))
        return self._mapped(response.attributes)

    async def allocate(self) -> Relay:
        """Ask for a relay (RFC 8656, section 7); errors as of `bind`."""
        wanted = {"LIFETIME": LIFETIME_S, "REQUESTED-TRANSPORT": UDP_TRANSPORT}
        response = await self._request(stun.Method.ALLOCATE, wanted)
        relayed = response.attributes.get("XOR-RELAYED-ADDRESS")
        if relayed is None:
            raise ServerFaultError(Fault.NOT_STUN, "an allocation without a relayed address")
        return Relay(relayed, self._mapped(response.attributes))

    @asynccontextmanager
    async def allocation(self) -> AsyncIterator[Relay]:
        """Have a relay while the context lasts; errors as of `bind`.

        One that was given up a moment ago may still count: coturn takes a second to forget it.
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
        """Keep the relay, or with 0 give it up (RFC 8656, section 8); errors as of `bind`."""
        await self._request(stun.Method.REFRESH, {"LIFETIME": lifetime_s})

    async def permit(self, peer: Address) -> None:
        """Let a host send to the relay (RFC 8656, section 10); errors as of `bind`."""
        await self._request(stun.Method.CREATE_PERMISSION, {"XOR-PEER-ADDRESS": peer})

    def send(self, data: bytes, peer: Address) -> None:
        """Have the server send data from the relay to a peer (RFC 8656, section 11)."""
        attributes = {"XOR-PEER-ADDRESS": peer, "DATA": data}
        indication = stun.Message(stun.Method.SEND, stun.Class.INDICATION, attributes=attributes)
        self._wire.send(bytes(indication))

    async def receive(self) -> tuple[bytes, Address]:
        """Return data that came to the relay, and from which peer, as the server saw it.

        Raises
        ------
        ServerFaultError
            The wire broke.
        """
        while not self._data:
            await self._next()
        return self._data.popleft()

    async def _request(self, method: stun.Method, attributes: dict[str, Any]) -> stun.Message:
        """Ask, with credentials once the server has said for which realm (RFC 8489, section 9)."""
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
        """Take the realm and the nonce of an error, if it is one that asks for them."""
        told = response.attributes
        code, nonce = response.error_code, told.get("NONCE")
        if self._credential is None or nonce is None:
            return False
        if code == 438 and self._key is not None:
            self._proof["NONCE"] = nonce
            return True
        if code != 401 or self._key is not None or "REALM" not in told:
            return False
        name, realm = self._credential.username, told["REALM"]
        self._proof = {"USERNAME": name, "REALM": realm, "NONCE": nonce}
        self._key = make_integrity_key(name, realm, self._credential.password)
        return True

    def _refusal(self, response: stun.Message) -> ServerFaultError:
        code, phrase = response.attributes.get("ERROR-CODE", (0, ""))
        if code in (401, 441) and self._key is not None:
            return ServerFaultError(Fault.WRONG_CREDENTIALS, f"{code} {phrase}".strip())
        return ServerFaultError(_FAULTS.get(code, Fault.OTHER_ERROR), f"{code} {phrase}".strip())

    async def _answer_to(self, request: stun.Message) -> stun.Message:
        """Send a request, over UDP again and again, and wait for its answer."""
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
        """Read a message; data for the relay is laid aside, and what is strange remembered."""
        data = await self._wire.receive()
        try:
            message = parse(data).message
        except MalformedMessageError as error:
            self._strange = str(error)
            return None
        told = message.attributes
        if message.message_method != stun.Method.DATA:
            return message
        if {"DATA", "XOR-PEER-ADDRESS"} <= told.keys():
            self._data.append((told["DATA"], told["XOR-PEER-ADDRESS"]))
        return None

    def _answers(self, message: stun.Message, request: stun.Message) -> bool:
        """Tell whether a message answers a request; a success has to be signed as that was."""
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
        self._strange = "a success that is not signed with the password"
        return False

    def _silence(self) -> ServerFaultError:
        fault = Fault.NOT_STUN if self._strange else Fault.SILENT
        return ServerFaultError(fault, self._strange)

    def _mapped(self, told: dict[str, Any]) -> Address:
        mapped: Address | None = told.get("XOR-MAPPED-ADDRESS", told.get("MAPPED-ADDRESS"))
        if mapped is None:
            raise ServerFaultError(Fault.NOT_STUN, "a success without the address it saw")
        return mapped
