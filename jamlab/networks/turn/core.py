"""A TURN server without its sockets: messages in, actions out (RFC 8656).

The core takes each message with its sender and time, and returns actions: send to a client or from
a relayed address to a peer, open or close a relayed address. `TurnControl` answers requests; this
module sorts messages and relays data.
"""

import struct
from collections.abc import Sequence

from aioice import stun

from jamlab.networks.model.packet import TCP, Address, is_media
from jamlab.networks.stun.message import (
    MalformedMessageError,
    Received,
    encode,
    encode_binding_response,
    error_response,
    is_bare_binding_request,
    parse,
    unknown_attributes,
    with_fingerprint,
)
from jamlab.networks.turn.actions import Action, Client, ToClient, ToPeer
from jamlab.networks.turn.control import TurnControl
from jamlab.networks.turn.stream import CHANNEL_HEADER_LENGTH


class TurnCore(TurnControl):
    """A TURN server without its sockets; parameters as in `TurnControl`."""

    def receive(self, data: bytes, client: Client, now_s: float) -> Sequence[Action]:
        """Take one message from a client: a datagram, or a message from `TurnStream`.

        The data is not checked yet; `now_s` is on a monotonic clock.
        """
        if data and data[0] >> 6 == 1:  # ChannelData (RFC 8656, section 12.5)
            return self._channel_data(data, client, now_s)
        if is_bare_binding_request(data):
            return [ToClient(client, encode_binding_response(data[8:], client.address))]
        try:
            received = parse(data)
        except MalformedMessageError:
            self.counters.malformed += 1
            return ()
        return self._message(received, client, now_s)

    def receive_from_peer(
        self, data: bytes, peer: Address, client: Client, now_s: float
    ) -> ToClient | None:
        """Take a datagram to a client's relayed address (RFC 8656, sections 11.3 and 12.7)."""
        allocation = self.allocation(client, now_s)
        if allocation is None or not allocation.permits(peer[0], now_s):
            self.counters.rejected_from_peers += 1
            return None
        self.counters.relayed_to_clients += 1
        self.counters.relayed_media += is_media(data)
        channel = allocation.channel(peer, now_s)
        if channel is None:
            return ToClient(client, self._data_indication(data, peer))
        padding = bytes(stun.padding_length(len(data))) if client.transport == TCP else b""
        return ToClient(client, struct.pack("!HH", channel, len(data)) + data + padding)

    def _message(self, received: Received, client: Client, now_s: float) -> Sequence[Action]:
        match received.message.message_class, received.message.message_method:
            case stun.Class.REQUEST, stun.Method.BINDING:
                return [self._binding(received, client)]
            case stun.Class.REQUEST, method if method in self.methods:
                return self.answer(received, client, now_s)
            case stun.Class.INDICATION, stun.Method.SEND:
                return self._send_indication(received, client, now_s)
        return self._discard()

    def _binding(self, received: Received, client: Client) -> ToClient:
        request = received.message
        fingerprint = "FINGERPRINT" in request.attributes
        if unknown := received.unknown():
            self.counters.count_refusal(420)
            extra = [unknown_attributes(unknown)]
            error = error_response(request, 420)
            return ToClient(client, encode(error, extra=extra, fingerprint=fingerprint))
        payload = encode_binding_response(request.transaction_id, client.address)
        return ToClient(client, with_fingerprint(payload) if fingerprint else payload)

    def _channel_data(self, data: bytes, client: Client, now_s: float) -> Sequence[Action]:
        if len(data) < CHANNEL_HEADER_LENGTH:
            self.counters.malformed += 1
            return ()
        channel, length = struct.unpack_from("!HH", data)
        payload = data[CHANNEL_HEADER_LENGTH : CHANNEL_HEADER_LENGTH + length]
        if len(payload) < length:
            self.counters.malformed += 1
            return ()
        allocation = self.allocation(client, now_s)
        peer = allocation.peer(channel, now_s) if allocation is not None else None
        return self._discard() if peer is None else self._to_peer(client, peer, payload)

    def _send_indication(
        self, received: Received, client: Client, now_s: float
    ) -> Sequence[Action]:
        allocation = self.allocation(client, now_s)
        attributes = received.message.attributes
        peer: Address | None = attributes.get("XOR-PEER-ADDRESS")
        if allocation is None or peer is None or "DATA" not in attributes or received.unknown():
            return self._discard()
        if not allocation.permits(peer[0], now_s):
            return self._discard()
        return self._to_peer(client, peer, attributes["DATA"])

    def _to_peer(self, client: Client, peer: Address, payload: bytes) -> Sequence[Action]:
        self.counters.relayed_to_peers += 1
        self.counters.relayed_media += is_media(payload) and not self._is_relay(peer)
        return [ToPeer(client, peer, payload)]

    def _is_relay(self, peer: Address) -> bool:
        return any(allocation.relayed == peer for allocation in self.allocations.values())

    def _discard(self) -> Sequence[Action]:
        self.counters.discarded += 1
        return ()

    def _data_indication(self, data: bytes, peer: Address) -> bytes:
        attributes = {"XOR-PEER-ADDRESS": peer, "DATA": data}
        transaction_id = self._rng.randbytes(12)
        return encode(
            stun.Message(stun.Method.DATA, stun.Class.INDICATION, transaction_id, attributes)
        )
