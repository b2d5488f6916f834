"""Authenticated requests of TURN clients: allocations, permissions and channels (RFC 8656).

Every request is first authenticated, then refused for unknown attributes, then executed. The server
listens on one address, so a client identifies its 5-tuple, and with that its only allocation.

An Allocate request cannot be answered at once: it returns `OpenRelay`, and `relay_opened` or
`relay_failed` returns the response. In between, another Allocate request of the client is refused.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aioice import stun

from jamlab.networks.model.packet import Address
from jamlab.networks.stun.message import (
    EVEN_PORT,
    REQUESTED_ADDRESS_FAMILY,
    RESERVATION_TOKEN,
    Attribute,
    Received,
    encode,
    error_response,
    is_ipv6,
    peer_addresses,
    unknown_attributes,
)
from jamlab.networks.turn.actions import (
    Action,
    Client,
    CloseRelay,
    OpenRelay,
    ToClient,
    TurnCounters,
)
from jamlab.networks.turn.allocation import Allocation, lifetime_s
from jamlab.networks.turn.credentials import AuthenticationError, Credentials, Identity

_IPV4_FAMILY = b"\x01"
_UDP_PROTOCOL = 17
_RESERVE = b"\x80"  # flag R of EVEN-PORT (RFC 8656, section 18.8)
_UNDERSTOOD = {
    stun.Method.ALLOCATE: {REQUESTED_ADDRESS_FAMILY, EVEN_PORT, RESERVATION_TOKEN},
    stun.Method.REFRESH: {REQUESTED_ADDRESS_FAMILY},
}


class _RefusedError(Exception):
    """A request gets a signed error response."""

    def __init__(self, code: int, *extra: Attribute) -> None:
        super().__init__(code)
        self.code, self.extra = code, extra


class _Request(NamedTuple):
    """An authenticated request, its sender, and its time of arrival."""

    received: Received
    client: Client
    identity: Identity
    now_s: float

    @property
    def attributes(self) -> dict[str, Any]:
        return self.received.message.attributes

    @property
    def transaction_id(self) -> bytes:
        return self.received.message.transaction_id

    def success(self, attributes: dict[str, Any]) -> ToClient:
        method, class_ = self.received.message.message_method, stun.Class.RESPONSE
        return self._signed(stun.Message(method, class_, self.transaction_id, attributes))

    def error(self, code: int, extra: Sequence[Attribute] = ()) -> ToClient:
        return self._signed(error_response(self.received.message, code), extra)

    def _signed(self, message: stun.Message, extra: Sequence[Attribute] = ()) -> ToClient:
        fingerprint = "FINGERPRINT" in self.attributes
        payload = encode(message, extra=extra, key=self.identity.key, fingerprint=fingerprint)
        return ToClient(self.client, payload)


class TurnControl:
    """Answer the requests of TURN clients, without sockets.

    `users` has passwords by user name, `rng` is the source of nonces and transaction IDs, and
    `quota` is the largest number of allocations of a user, by default unlimited. A nonce is stale
    after `nonce_lifetime_s`.
    """

    def __init__(
        self,
        users: Mapping[str, str],
        *,
        realm: str,
        rng: random.Random,
        quota: int | None = None,
        nonce_lifetime_s: float = 600.0,
    ) -> None:
        self.counters = TurnCounters()
        self.allocations: dict[Client, Allocation] = {}
        """Allocations by client; expired ones stay until `expire` is called."""
        self._rng = rng
        self._credentials = Credentials(users, realm, rng, nonce_lifetime_s)
        self._quota = quota
        self._opening: dict[Client, _Request] = {}
        self._handlers = {
            stun.Method.ALLOCATE: self._allocate,
            stun.Method.REFRESH: self._refresh,
            stun.Method.CREATE_PERMISSION: self._create_permission,
            stun.Method.CHANNEL_BIND: self._channel_bind,
        }
        self.methods = self._handlers.keys()
        """Methods that `answer` takes."""

    def relay_opened(self, client: Client, relayed: Address, now_s: float) -> Sequence[Action]:
        """Create the allocation of an opened relayed address, and answer the client."""
        request = self._opening.pop(client)
        lifetime = lifetime_s(request.attributes.get("LIFETIME"))
        allocation = Allocation(request.identity, relayed, request.transaction_id, now_s + lifetime)
        response = request.success(
            {
                "XOR-RELAYED-ADDRESS": relayed,
                "LIFETIME": lifetime,
                "XOR-MAPPED-ADDRESS": client.address,
            }
        )
        allocation.response = response.payload
        self.allocations[client] = allocation
        return [response]

    def relay_failed(self, client: Client) -> Sequence[Action]:
        """Refuse the allocation, as the relayed address could not be opened."""
        return [self._refuse(self._opening.pop(client), _RefusedError(508))]

    def client_lost(self, client: Client) -> Sequence[Action]:
        """Delete the allocation of a client whose connection is closed."""
        opening = self._opening.pop(client, None)
        allocation = self.allocations.pop(client, None)
        return [CloseRelay(client)] if opening or allocation else ()

    def expire(self, client: Client, now_s: float) -> Sequence[Action]:
        """Delete a client's allocation if it has expired."""
        allocation = self.allocations.get(client)
        if allocation is None or allocation.expires_s > now_s:
            return ()
        del self.allocations[client]
        return [CloseRelay(client)]

    def allocation(self, client: Client, now_s: float) -> Allocation | None:
        """Return a client's allocation, unless it has expired."""
        allocation = self.allocations.get(client)
        return allocation if allocation is not None and allocation.expires_s > now_s else None

    def answer(self, received: Received, client: Client, now_s: float) -> Sequence[Action]:
        """Answer a request; its method must be one of `methods`."""
        try:
            identity = self._credentials.authenticate(received, client.address, now_s)
        except AuthenticationError as error:
            return [self._challenge(received, client, now_s, error.code)]
        request = _Request(received, client, identity, now_s)
        method = received.message.message_method
        try:
            if unknown := received.unknown(_UNDERSTOOD.get(method, ())):
                raise _RefusedError(420, unknown_attributes(unknown))
            return self._handlers[method](request)
        except _RefusedError as refusal:
            return [self._refuse(request, refusal)]

    def _challenge(self, received: Received, client: Client, now_s: float, code: int) -> ToClient:
        self.counters.count_refusal(code)
        message = error_response(received.message, code)
        if code != 400:
            message.attributes["REALM"] = self._credentials.realm
            message.attributes["NONCE"] = self._credentials.nonce(client.address, now_s)
        fingerprint = "FINGERPRINT" in received.message.attributes
        return ToClient(client, encode(message, fingerprint=fingerprint))

    def _refuse(self, request: _Request, refusal: _RefusedError) -> ToClient:
        self.counters.count_refusal(refusal.code)
        return request.error(refusal.code, refusal.extra)

    def _allocate(self, request: _Request) -> Sequence[Action]:
        client, now_s = request.client, request.now_s
        allocation, opening = self.allocation(client, now_s), self._opening.get(client)
        if allocation is not None and allocation.transaction_id == request.transaction_id:
            return [ToClient(client, allocation.response)]
        if opening is not None and opening.transaction_id == request.transaction_id:
            return ()  # a retransmission: the response is yet to come
        if allocation is not None or opening is not None:
            raise _RefusedError(437)
        _check_what_is_asked_for(request)
        if self._quota is not None and self._held(request.identity, now_s) >= self._quota:
            raise _RefusedError(486)
        self._opening[client] = request
        even = bool(request.received.values(EVEN_PORT))
        return [*self.expire(client, now_s), OpenRelay(client, even)]

    def _held(self, identity: Identity, now_s: float) -> int:
        holders = [a.identity for a in self.allocations.values() if a.expires_s > now_s]
        holders += [request.identity for request in self._opening.values()]
        return holders.count(identity)

    def _refresh(self, request: _Request) -> Sequence[Action]:
        allocation = self._own_allocation(request)
        if _other_family(request.received):
            raise _RefusedError(443)
        asked_s = request.attributes.get("LIFETIME")
        if asked_s == 0:
            del self.allocations[request.client]
            return [request.success({"LIFETIME": 0}), CloseRelay(request.client)]
        lifetime = lifetime_s(asked_s)
        allocation.expires_s = request.now_s + lifetime
        return [request.success({"LIFETIME": lifetime})]

    def _create_permission(self, request: _Request) -> Sequence[Action]:
        allocation = self._own_allocation(request)
        for peer in _peers(request):
            allocation.permit(peer[0], request.now_s)
        return [request.success({})]

    def _channel_bind(self, request: _Request) -> Sequence[Action]:
        allocation = self._own_allocation(request)
        peers, channel = _peers(request), request.attributes.get("CHANNEL-NUMBER")
        if channel is None:
            raise _RefusedError(400)
        try:
            allocation.bind(channel, peers[-1], request.now_s)
        except ValueError as error:
            raise _RefusedError(400) from error
        return [request.success({})]

    def _own_allocation(self, request: _Request) -> Allocation:
        allocation = self.allocation(request.client, request.now_s)
        if allocation is None:
            raise _RefusedError(437)
        if allocation.identity != request.identity:
            raise _RefusedError(441)
        return allocation


def _check_what_is_asked_for(request: _Request) -> None:
    """Refuse unsupported attributes, in the order of RFC 8656, section 7.2."""
    transport = request.attributes.get("REQUESTED-TRANSPORT")
    token = request.received.values(RESERVATION_TOKEN)
    even = request.received.values(EVEN_PORT)
    if transport is None or (token and even):
        raise _RefusedError(400)
    if transport >> 24 != _UDP_PROTOCOL:
        raise _RefusedError(442)
    if _other_family(request.received):
        raise _RefusedError(440)
    if token or any(value[:1] >= _RESERVE for value in even):  # no port is ever reserved
        raise _RefusedError(508)


def _other_family(received: Received) -> bool:
    return any(value[:1] != _IPV4_FAMILY for value in received.values(REQUESTED_ADDRESS_FAMILY))


def _peers(request: _Request) -> list[Address]:
    peers = peer_addresses(request.received)
    if not peers:
        raise _RefusedError(400)
    if any(map(is_ipv6, peers)):
        raise _RefusedError(443)
    return peers
