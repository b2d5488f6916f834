"""Messages of NAT-PMP (RFC 6886) as a client sends and reads them; no I/O."""

import ipaddress
import struct
from dataclasses import dataclass

_VERSION = 0
_ADDRESS, _MAP_UDP, _IS_ANSWER = 0, 1, 0x80
_REQUEST = struct.Struct("!BBxxHHI")
_HEAD = struct.Struct("!BBHI")
_MAPPING = struct.Struct("!BBHIHHI")
_ADDRESS_ANSWER = struct.Struct("!BBHI4s")

RESULTS = {
    1: "it does not speak this version",
    2: "it is not allowed",
    3: "it has no connection",
    4: "it has no resources left",
    5: "it does not know this operation",
}
"""RFC 6886 §3.5."""


@dataclass(frozen=True, slots=True)
class Outside:
    """An answer about the address outside, which only a result of 0 has."""

    result: int
    address: str = ""


@dataclass(frozen=True, slots=True)
class Mapped:
    """An answer about a mapping; only with a result of 0 there is one."""

    result: int
    external_port: int = 0
    lifetime_s: int = 0


def address_request() -> bytes:
    """Return a request for the address outside (RFC 6886 §3.2)."""
    return bytes([_VERSION, _ADDRESS])


def map_request(port: int, wanted_port: int, lifetime_s: int) -> bytes:
    """Return a request for a mapping of a UDP port; a lifetime of 0 removes it (RFC 6886 §3.4)."""
    return _REQUEST.pack(_VERSION, _MAP_UDP, port, wanted_port, lifetime_s)


def read_address_answer(datagram: bytes) -> Outside | None:
    """Return the answer about the address outside; None if a datagram is something else."""
    result = _result(datagram, _ADDRESS)
    if result is None or result:
        return None if result is None else Outside(result)
    if len(datagram) != _ADDRESS_ANSWER.size:
        return None
    return Outside(result, str(ipaddress.IPv4Address(_ADDRESS_ANSWER.unpack(datagram)[-1])))


def read_map_answer(datagram: bytes, port: int) -> Mapped | None:
    """Return the answer about the mapping of a port; None if a datagram is something else."""
    result = _result(datagram, _MAP_UDP)
    if result is None or (result and len(datagram) < _MAPPING.size):
        return None if result is None else Mapped(result)
    if len(datagram) != _MAPPING.size:
        return None
    *_, internal, external, lifetime_s = _MAPPING.unpack(datagram)
    return Mapped(result, external, lifetime_s) if internal == port else None


def _result(datagram: bytes, operation: int) -> int | None:
    """Return the result code of an answer to an operation; None if a datagram is none."""
    if not _HEAD.size <= len(datagram) <= _MAPPING.size:
        return None
    version, code, result, _ = _HEAD.unpack_from(datagram)
    return int(result) if (version, code) == (_VERSION, _IS_ANSWER | operation) else None
