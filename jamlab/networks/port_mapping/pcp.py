"""Messages of the Port Control Protocol (RFC 6887) as a client sends and reads them; no I/O."""

import ipaddress
import struct
from dataclasses import dataclass

from jamlab.networks.port_mapping.mapping import Address

SERVER_PORT = 5351
"""Of routers that speak PCP or NAT-PMP (RFC 6887 §19.1)."""

NONCE_BYTES = 12

_VERSION = 2
_ANNOUNCE, _MAP, _IS_ANSWER = 0, 1, 0x80
_UDP = 17
_MOST_BYTES = 1100  # RFC 6887 §7
_REQUEST = struct.Struct("!BBxxI16s")
_ANSWER = struct.Struct("!BBxBII12x")
_MAPPING = struct.Struct("!12sB3xHH16s")
_NO_ADDRESS = ipaddress.ip_address("::ffff:0.0.0.0").packed

UNSUPPORTED_VERSION = 1

RESULTS = {
    UNSUPPORTED_VERSION: "it does not speak this version",
    2: "it is not allowed",
    3: "it does not understand the request",
    4: "it does not know this operation",
    5: "it does not know an option",
    6: "an option is malformed",
    7: "it has no connection",
    8: "it has no resources left",
    9: "it does not map UDP",
    10: "we have as many mappings as we may have",
    11: "it cannot give an address outside",
    12: "there is another NAT between the router and us",
    13: "there are too many remote peers",
}
"""RFC 6887 §7.4."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its result, and for a mapping its lifetime and its address outside."""

    result: int
    lifetime_s: int = 0
    external: Address | None = None


def announce_request(client: str) -> bytes:
    """Return an ANNOUNCE request, to which any PCP server answers (RFC 6887 §14.1)."""
    return _REQUEST.pack(_VERSION, _ANNOUNCE, 0, _packed(client))


def map_request(
    client: str, nonce: bytes, port: int, wanted_port: int, lifetime_s: int, wanted: str = ""
) -> bytes:
    """Return a MAP request for a UDP port (RFC 6887 §11.1); a lifetime of 0 removes the mapping.

    `nonce` is the mapping's, `wanted` the address outside that a renewal should keep.
    """
    outside = _packed(wanted) if wanted else _NO_ADDRESS
    return _REQUEST.pack(_VERSION, _MAP, lifetime_s, _packed(client)) + _MAPPING.pack(
        nonce, _UDP, port, wanted_port, outside
    )


def read_announce_answer(datagram: bytes) -> Answer | None:
    """Return the answer to an ANNOUNCE request; None if a datagram is something else."""
    return _read(datagram, _ANNOUNCE)


def read_map_answer(datagram: bytes, nonce: bytes, port: int) -> Answer | None:
    """Return the answer to a MAP request; None if a datagram is something else.

    The nonce protects against datagrams with a forged source (RFC 6887 §11.2).
    """
    head = _read(datagram, _MAP)
    if head is None or head.result == UNSUPPORTED_VERSION:
        return head
    if len(datagram) < _ANSWER.size + _MAPPING.size:
        return None
    theirs, protocol, internal, external, outside = _MAPPING.unpack_from(datagram, _ANSWER.size)
    if (theirs, protocol, internal) != (nonce, _UDP, port):
        return None
    return Answer(head.result, head.lifetime_s, (_unpacked(outside), external))


def _read(datagram: bytes, operation: int) -> Answer | None:
    """Read the header that all answers have; only a refused version may be another's."""
    if _is_refused_version(datagram):
        return Answer(UNSUPPORTED_VERSION)
    if not _ANSWER.size <= len(datagram) <= _MOST_BYTES or len(datagram) % 4:
        return None
    version, code, result, lifetime_s, _ = _ANSWER.unpack_from(datagram)
    if (version, code) != (_VERSION, _IS_ANSWER | operation):
        return None
    return Answer(result, lifetime_s)


def _is_refused_version(datagram: bytes) -> bool:
    """Return whether a server of NAT-PMP refuses the version (RFC 6886 §3.5, RFC 6887 app. A)."""
    return (
        len(datagram) >= 4
        and datagram[0] != _VERSION
        and bool(datagram[1] & _IS_ANSWER)
        and datagram[2:4] == b"\0\1"
    )


def _packed(address: str) -> bytes:
    """Return an address as 16 bytes, IPv4's mapped into IPv6's (RFC 6887 §5)."""
    parsed = ipaddress.ip_address(address)
    return (parsed if parsed.version == 6 else ipaddress.ip_address(f"::ffff:{parsed}")).packed


def _unpacked(address: bytes) -> str:
    parsed = ipaddress.IPv6Address(address)
    return str(parsed.ipv4_mapped or parsed)
