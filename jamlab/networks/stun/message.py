"""Reading and writing of STUN messages, strict enough for a server (RFC 8489).

aioice has the attribute formats and the two checksums, but is written for a client. This module
adds a server's needs: one exception for every malformed message, access to attributes that aioice
skips (unknown comprehension-required ones must be refused, XOR-PEER-ADDRESS may be repeated), and
attributes that aioice cannot write.
"""

import hmac
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from aioice import stun

from jamlab.networks.model.packet import Address

HEADER_LENGTH = 20
"""Length of a STUN header, in bytes (RFC 8489, section 5)."""

CHANGE_REQUEST = 0x0003
MESSAGE_INTEGRITY = 0x0008
UNKNOWN_ATTRIBUTES = 0x000A
XOR_PEER_ADDRESS = 0x0012
REQUESTED_ADDRESS_FAMILY = 0x0017
EVEN_PORT = 0x0018
RESERVATION_TOKEN = 0x0022
PADDING = 0x0026
RESPONSE_PORT = 0x0027
ALTERNATE_DOMAIN = 0x8003
ALTERNATE_SERVER = 0x8023
FINGERPRINT = 0x8028

_COOKIE = struct.pack("!I", stun.COOKIE)
_ERROR_CODE, _SOFTWARE = 0x0009, 0x8022
_TEXT_BEGINS = {_ERROR_CODE: 4, _SOFTWARE: 0}
"""Where the text begins in attributes whose text is for people alone."""
_BARE_BINDING_REQUEST = struct.pack("!HH", stun.Method.BINDING, 0) + _COOKIE
_COMPREHENSION_OPTIONAL = 0x8000
_UNDERSTOOD = frozenset(stun.ATTRIBUTES_BY_TYPE) - {CHANGE_REQUEST} | {UNKNOWN_ATTRIBUTES}

_REASONS = {
    400: "Bad Request",
    401: "Unauthenticated",
    420: "Unknown Attribute",
    437: "Allocation Mismatch",
    438: "Stale Nonce",
    440: "Address Family not Supported",
    441: "Wrong Credentials",
    442: "Unsupported Transport Protocol",
    443: "Peer Address Family Mismatch",
    486: "Allocation Quota Reached",
    508: "Insufficient Capacity",
}


class MalformedMessageError(ValueError):
    """The bytes are not a STUN message; a receiver drops them (RFC 8489, section 6.3)."""


class Attribute(NamedTuple):
    """One attribute as it is encoded in a message."""

    type: int
    value: bytes


class Received(NamedTuple):
    """A received message."""

    message: stun.Message
    """The message as aioice parses it; of a repeated attribute it keeps the last."""
    attributes: tuple[Attribute, ...]
    """All attributes in order, except those after MESSAGE-INTEGRITY."""
    data: bytes
    """The message as it was received."""

    def values(self, type_: int) -> list[bytes]:
        """Return the values of all attributes of a type, in order."""
        return [attribute.value for attribute in self.attributes if attribute.type == type_]

    def unknown(self, understood: Iterable[int] = ()) -> list[int]:
        """Return the unknown comprehension-required types (RFC 8489, section 6.3.1).

        The server understands the general types and, in this message, those in `understood`.
        """
        types = {a.type for a in self.attributes if a.type < _COMPREHENSION_OPTIONAL}
        return sorted(types - _UNDERSTOOD - set(understood))

    def is_signed_with(self, key: bytes) -> bool:
        """Return whether the message has the MESSAGE-INTEGRITY of a key (RFC 8489, section 14.5).

        aioice's check would be of the message that it parsed, whose texts may be mended.
        """
        for type_, start, end in _places(self.data):
            if type_ == MESSAGE_INTEGRITY:
                expected = stun.message_integrity(self.data[: start - 4], key)
                return hmac.compare_digest(expected, self.data[start:end])
        return False


def is_bare_binding_request(data: bytes) -> bool:
    """Return whether this is a Binding request without attributes, the most frequent message."""
    return len(data) == HEADER_LENGTH and data[:8] == _BARE_BINDING_REQUEST


def has_stun_header(data: bytes) -> bool:
    """Return whether bytes begin as a STUN message with a magic cookie does."""
    return len(data) >= HEADER_LENGTH and data[0] <= 3 and data[4:8] == _COOKIE


def transaction_id_of(data: bytes) -> bytes:
    """Return the bytes at a STUN header's transaction ID; fewer than 12 if there is none."""
    return data[8:HEADER_LENGTH]


def parse(data: bytes) -> Received:
    """Read a message.

    A reason phrase or SOFTWARE that is not UTF-8 gets question marks. Raises
    `MalformedMessageError` if the message is not well-formed, its FINGERPRINT is wrong, or its
    method is unknown.
    """
    attributes = tuple(_attributes(data))
    try:
        try:
            message = stun.parse_message(data)
        except UnicodeDecodeError:
            message = stun.parse_message(_in_ascii(data))
    except (ValueError, struct.error) as error:
        raise MalformedMessageError(f"a STUN message that cannot be read: {error}") from error
    return Received(message, attributes, data)


def _attributes(data: bytes) -> Iterable[Attribute]:
    _check_header(data)
    protected = False
    for type_, start, end in _places(data):
        if not protected or type_ == FINGERPRINT:
            yield Attribute(type_, data[start:end])
        protected = protected or type_ == MESSAGE_INTEGRITY


def _check_header(data: bytes) -> None:
    if len(data) < HEADER_LENGTH or data[0] > 3:
        raise MalformedMessageError("no STUN message")
    if data[4:8] != _COOKIE:
        raise MalformedMessageError("a STUN message without the magic cookie")
    if len(data) % 4:
        raise MalformedMessageError("a STUN message of a length that is not a multiple of four")


def _places(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield type, start and end of each attribute's value."""
    position = HEADER_LENGTH
    while position < len(data):
        type_, length = struct.unpack_from("!HH", data, position)
        start, end = position + 4, position + 4 + length
        if end > len(data):
            raise MalformedMessageError(f"a STUN attribute 0x{type_:04x} that is cut off")
        yield type_, start, end
        position = end + stun.padding_length(length)


def _in_ascii(data: bytes) -> bytes:
    """Return a message with the texts for people in ASCII; raise ValueError if it is corrupt."""
    whole, fingerprint_at = bytearray(data), None
    for type_, start, end in _places(data):
        if type_ in _TEXT_BEGINS:
            start += _TEXT_BEGINS[type_]
            whole[start:end] = (byte if byte < 0x80 else ord("?") for byte in whole[start:end])
        elif type_ == FINGERPRINT:
            fingerprint_at = start - 4
    if fingerprint_at is None:
        return bytes(whole)
    if not data.endswith(with_fingerprint(data[:fingerprint_at])[fingerprint_at:]):
        raise MalformedMessageError("a STUN message whose FINGERPRINT is wrong")
    kept = stun.set_body_length(bytes(whole[:fingerprint_at]), fingerprint_at - HEADER_LENGTH)
    return with_fingerprint(kept)


def peer_addresses(received: Received) -> list[Address]:
    """Return every XOR-PEER-ADDRESS of a received message."""
    transaction_id = received.message.transaction_id
    return [
        stun.unpack_xor_address(value, transaction_id)
        for value in received.values(XOR_PEER_ADDRESS)
    ]


def is_ipv6(address: Address) -> bool:
    """Return whether an address that aioice has read is IPv6."""
    return ":" in address[0]


def encode(
    message: stun.Message,
    *,
    extra: Iterable[Attribute] = (),
    key: bytes | None = None,
    fingerprint: bool = False,
) -> bytes:
    """Write a message, given without MESSAGE-INTEGRITY and FINGERPRINT.

    `extra` has attributes that aioice cannot write; they follow the message's own. A `key` adds
    MESSAGE-INTEGRITY.
    """
    data = bytes(message) + b"".join(map(encode_attribute, extra))
    if key is not None:
        data += encode_attribute(Attribute(MESSAGE_INTEGRITY, stun.message_integrity(data, key)))
    data = stun.set_body_length(data, len(data) - HEADER_LENGTH)
    return with_fingerprint(data) if fingerprint else data


def with_fingerprint(data: bytes) -> bytes:
    """Return an encoded message with FINGERPRINT added (RFC 8489, section 14.7)."""
    checksum = struct.pack("!I", stun.message_fingerprint(data))
    data += encode_attribute(Attribute(FINGERPRINT, checksum))
    return stun.set_body_length(data, len(data) - HEADER_LENGTH)


def encode_attribute(attribute: Attribute) -> bytes:
    """Write one attribute, padded to four bytes (RFC 8489, section 14)."""
    length = len(attribute.value)
    padding = bytes(stun.padding_length(length))
    return struct.pack("!HH", attribute.type, length) + attribute.value + padding


def error_response(request: stun.Message, code: int) -> stun.Message:
    """Return the error response to a request, with the reason phrase of its RFC."""
    return stun.Message(
        request.message_method,
        stun.Class.ERROR,
        request.transaction_id,
        {"ERROR-CODE": (code, _REASONS[code])},
    )


def unknown_attributes(types: Iterable[int]) -> Attribute:
    """Return the UNKNOWN-ATTRIBUTES of an error 420 (RFC 8489, section 14.10)."""
    return Attribute(UNKNOWN_ATTRIBUTES, b"".join(struct.pack("!H", type_) for type_ in types))


def encode_binding_response(transaction_id: bytes, source: Address, more: bytes = b"") -> bytes:
    """Write the success response to a Binding request; fast, as simulations need very many.

    The transaction ID has 12 bytes. The request's IPv4 source becomes XOR-MAPPED-ADDRESS and, for
    the clients of RFC 5780, section 6.1, MAPPED-ADDRESS. `more` has further encoded attributes.
    """
    # An IPv4 address is XORed with the cookie only, so the cache serves every transaction.
    mapped = encode_address("MAPPED-ADDRESS", source) + encode_address("XOR-MAPPED-ADDRESS", source)
    type_ = stun.Method.BINDING | stun.Class.RESPONSE
    head = struct.pack("!HH", type_, len(mapped) + len(more)) + _COOKIE
    return head + transaction_id + mapped + more


@lru_cache(maxsize=4096)
def encode_address(name: str, address: Address) -> bytes:
    """Write an attribute with an IPv4 address; ``name`` is its name in aioice."""
    message = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, bytes(12), {name: address})
    return bytes(message)[HEADER_LENGTH:]
