"""Responses to STUN requests: which a client may use, and what an error response says (RFC 8489).

A message that answers a request may still be of no use, e.g. with an attribute that the client must
understand and does not. It proves that something is there, unlike silence. So every message is
either read, or `UnusableError` says why it is not.
"""

import ipaddress
import struct
from collections.abc import Iterator

from aioice import stun

from jamlab.networks.model.packet import Address
from jamlab.networks.stun.message import (
    ALTERNATE_DOMAIN,
    ALTERNATE_SERVER,
    UNKNOWN_ATTRIBUTES,
    MalformedMessageError,
    Received,
    has_stun_header,
    is_ipv6,
    parse,
    transaction_id_of,
)

TRY_ALTERNATE = 300
"""Error code of a server that sends its clients to another one (RFC 8489, section 10)."""

_CODES = range(300, 700)  # RFC 8489, section 14.8
_MOST_CHARS = 80
_MOST_UNKNOWN = 8


class UnusableError(ValueError):
    """A message cannot be used as the response to a request; the text says why."""

    def __init__(self, reason: str, *, is_stun: bool = True) -> None:
        super().__init__(reason)
        self.is_stun = is_stun
        """Whether it is a STUN message, if a wrong one."""


def read_response(data: bytes, method: stun.Method, transaction_id: bytes) -> Received:
    """Read a datagram as the response to a request of this method and transaction ID.

    Raises `UnusableError` if it is no such response, or one that a client must not use (RFC 8489,
    sections 6.3, 6.3.3 and 6.3.4).
    """
    answers = transaction_id_of(data) == transaction_id
    if not (answers or has_stun_header(data)):
        raise UnusableError(f"no STUN message: {data[:16]!r}", is_stun=False)
    if not answers:
        raise UnusableError("a message with another transaction ID")
    try:
        received = parse(data)
    except MalformedMessageError as error:
        raise UnusableError(printable(str(error))) from error
    if reason := _unusable(received, method):
        raise UnusableError(reason)
    return received


def _unusable(received: Received, method: stun.Method) -> str:
    """Return why a message with the right transaction ID is not a usable response, or ""."""
    message = received.message
    if message.message_class is stun.Class.REQUEST:
        return "a request instead of a response"
    if message.message_class is stun.Class.INDICATION:
        return "an indication instead of a response"
    if message.message_method is not method:
        return f"a response to {message.message_method.name}, not to {method.name}"
    if unknown := received.unknown():
        return f"a response with required attributes that jamlab does not know: {_hex(unknown)}"
    if message.message_class is stun.Class.ERROR and message.error_code not in _CODES:
        return "an error response without a code from 300 to 699"
    return ""


def mapped_address(received: Received) -> Address | None:
    """Return the client's mapped address; None without an IPv4 one that can be used."""
    found = received.message.attributes
    return usable_ipv4(found.get("XOR-MAPPED-ADDRESS") or found.get("MAPPED-ADDRESS"))


def usable_ipv4(address: Address | None) -> Address | None:
    """Return an address of a response; None if it is IPv6, or no host can have it."""
    if address is None or is_ipv6(address) or address[1] == 0:
        return None
    host = ipaddress.IPv4Address(address[0])
    return None if host.is_unspecified or host.is_multicast or host.is_reserved else address


def error_text(received: Received) -> str:
    """Return code and reason of an error response, and the server or attributes that it names.

    The text is short and printable, as an unknown server wrote it.
    """
    code, phrase = received.message.attributes["ERROR-CODE"]
    text = f"{code} {printable(phrase)}".strip()
    if code == TRY_ALTERNATE:
        return f"{text}: {alternate_server(received) or 'it names no other server'}"
    unknown = list(_unknown_attributes(received))
    return f"{text}: {_hex(unknown)}" if code == 420 and unknown else text


def alternate_server(received: Received) -> str:
    """Return the server that an error 300 names, as ``host:port (domain)``, or ""."""
    domains = (value.decode("utf-8", "replace") for value in received.values(ALTERNATE_DOMAIN))
    domain = printable(next(domains, ""))
    for value in received.values(ALTERNATE_SERVER):
        try:
            host, port = stun.unpack_address(value)
        except ValueError:
            continue
        at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"{at} ({domain})" if domain else at
    return domain


def printable(text: str) -> str:
    """Return a text of an unknown server, short and without control characters."""
    return "".join(filter(str.isprintable, text))[:_MOST_CHARS]


def _unknown_attributes(received: Received) -> Iterator[int]:
    for value in received.values(UNKNOWN_ATTRIBUTES):
        yield from (type_ for (type_,) in struct.iter_unpack("!H", value[: len(value) // 2 * 2]))


def _hex(types: list[int]) -> str:
    more = [] if len(types) <= _MOST_UNKNOWN else [f"and {len(types) - _MOST_UNKNOWN} more"]
    return ", ".join([*(f"0x{type_:04x}" for type_ in types[:_MOST_UNKNOWN]), *more])
