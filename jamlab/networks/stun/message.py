"""STUN messages as a server reads and writes them (RFC 8489).

aioice has the format of the attributes and the two checksums. A client may be lenient where a
server may not, so this module adds what only a server needs: all that can be wrong with a message
is one exception, attributes aioice skips are seen (comprehension-required ones have to be refused,
and XOR-PEER-ADDRESS may be repeated), and an answer may carry attributes aioice cannot write.
"""

import struct
from collections.abc import Iterable
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
FINGERPRINT = 0x8028

_COOKIE = struct.pack("!I", stun.COOKIE)
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
    """The bytes are no STUN message; such are dropped (RFC 8489, section 6.3)."""


class Attribute(NamedTuple):
    """One attribute as it stands in a message."""

    type: int
    value: bytes


class Received(NamedTuple):
    """A message that came in."""

    message: stun.Message
    """What aioice made of it; of a repeated attribute it keeps the last."""
    attributes: tuple[Attribute, ...]
    """All attributes in their order, without those that follow MESSAGE-INTEGRITY."""

    def values(self, type_: int) -> list[bytes]:
        """Return the value of every attribute of a type, in their order."""
        return [attribute.value for attribute in self.attributes if attribute.type == type_]

    def unknown(self, understood: Iterable[int] = ()) -> list[int]:
        """Return the comprehension-required types a server has to refuse (RFC 8489, section 6.3.1).

        Parameters
        ----------
        understood : iterable of int
            Types the server understands in this message besides those every server does.
        """
        types = {a.type for a in self.attributes if a.type < _COMPREHENSION_OPTIONAL}
        return sorted(types - _UNDERSTOOD - set(understood))


def is_bare_binding_request(data: bytes) -> bool:
    """Tell whether this is a Binding request without attributes: most of what a server gets."""
    return len(data) == HEADER_LENGTH and data[:8] == _BARE_BINDING_REQUEST


def parse(data: bytes) -> Received:
    """Read a message.

    Raises
    ------
    MalformedMessageError
        It is not well-formed, its FINGERPRINT is wrong, or its method is not known.
    """
    attributes = tuple(_attributes(data))
    try:
        return Received(stun.parse_message(data), attributes)
    except (ValueError, struct.error) as error:
        raise MalformedMessageError(f"a STUN message cannot be read: {error}") from error


def _attributes(data: bytes) -> Iterable[Attribute]:
    if len(data) < HEADER_LENGTH or data[4:8] != _COOKIE or data[0] > 3 or len(data) % 4:
        raise MalformedMessageError("a STUN message has no valid header")
    position, protected = HEADER_LENGTH, False
    while position < len(data):
        type_, length = struct.unpack_from("!HH", data, position)
        value = data[position + 4 : position + 4 + length]
        if len(value) < length:
            raise MalformedMessageError(f"STUN attribute 0x{type_:04x} is longer than its message")
        if not protected or type_ == FINGERPRINT:
            yield Attribute(type_, value)
        protected = protected or type_ == MESSAGE_INTEGRITY
        position += 4 + length + stun.padding_length(length)


def peer_addresses(received: Received) -> list[Address]:
    """Return every XOR-PEER-ADDRESS of a message that `parse` has read."""
    transaction_id = received.message.transaction_id
    return [
        stun.unpack_xor_address(value, transaction_id)
        for value in received.values(XOR_PEER_ADDRESS)
    ]


def is_ipv6(address: Address) -> bool:
    """Tell the family of an address as aioice reads it."""
    return ":" in address[0]


def encode(
    message: stun.Message,
    *,
    extra: Iterable[Attribute] = (),
    key: bytes | None = None,
    fingerprint: bool = False,
) -> bytes:
    """Write a message.

    Parameters
    ----------
    message : aioice.stun.Message
        It has neither MESSAGE-INTEGRITY nor FINGERPRINT.
    extra : iterable of Attribute
        What aioice cannot write, put behind its attributes.
    key : bytes, optional
        With it, the message gets MESSAGE-INTEGRITY.
    fingerprint : bool
        Whether it gets FINGERPRINT.
    """
    data = bytes(message) + b"".join(map(encode_attribute, extra))
    if key is not None:
        data += encode_attribute(Attribute(MESSAGE_INTEGRITY, stun.message_integrity(data, key)))
    data = stun.set_body_length(data, len(data) - HEADER_LENGTH)
    return with_fingerprint(data) if fingerprint else data


def with_fingerprint(data: bytes) -> bytes:
    """Return a written message with FINGERPRINT behind it (RFC 8489, section 14.7)."""
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
    """Return the UNKNOWN-ATTRIBUTES an error 420 lists (RFC 8489, section 14.10)."""
    return Attribute(UNKNOWN_ATTRIBUTES, b"".join(struct.pack("!H", type_) for type_ in types))


def encode_binding_response(transaction_id: bytes, source: Address, more: bytes = b"") -> bytes:
    """Write the success response to a Binding request, for which a simulation asks very often.

    Parameters
    ----------
    transaction_id : bytes
        The request's, 12 bytes.
    source : Address
        Where the request came from, IPv4: it becomes XOR-MAPPED-ADDRESS and, for the clients of
        RFC 5780, section 6.1, MAPPED-ADDRESS.
    more : bytes
        Attributes already written, put behind these.
    """
    # An IPv4 address is XORed with the cookie only, so what is cached fits every transaction.
    mapped = encode_address("MAPPED-ADDRESS", source) + encode_address("XOR-MAPPED-ADDRESS", source)
    type_ = stun.Method.BINDING | stun.Class.RESPONSE
    head = struct.pack("!HH", type_, len(mapped) + len(more)) + _COOKIE
    return head + transaction_id + mapped + more


@lru_cache(maxsize=4096)
def encode_address(name: str, address: Address) -> bytes:
    """Write one attribute, by its name in aioice, that holds an IPv4 address."""
    message = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, bytes(12), {name: address})
    return bytes(message)[HEADER_LENGTH:]
