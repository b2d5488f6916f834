"""The NAT-PMP server of a simulated router (RFC 6886), from request to answer, without sockets.

A client finds it at `ROUTER`, whatever network it is in: simulated routers have no address inside,
so they share the one that RFC 7723 reserves for the nearest server of PCP. It maps UDP ports alone,
and answers a request by PCP as RFC 6886 §3.5 says, so that the client asks by NAT-PMP next.
"""

import socket
import struct

from jamlab.networks.model.packet import Address
from jamlab.networks.simulated.nat import Nat

ROUTER = "192.0.0.9"
"""Address of every router towards its own network."""

PORT = 5351

_VERSION, _ADDRESS, _MAP_UDP, _ANSWER = 0, 0, 1, 128
_SUCCESS, _UNSUPPORTED_VERSION, _OUT_OF_RESOURCES, _UNSUPPORTED_OPCODE = 0, 1, 4, 5
_REQUEST = struct.Struct("!BBxxHHI")
_HEAD = struct.Struct("!BBHI")
_MAPPING = struct.Struct("!HHI")


def answer(request: bytes, client: Address, nat: Nat, now_s: float) -> bytes | None:
    """Return the answer to a client's request, and map or unmap its port; None to other data.

    Only a NAT that maps ports may be given.
    """
    if len(request) < 2 or request[1] >= _ANSWER:
        return None
    version, opcode = request[:2]
    if version != _VERSION:
        return _head(opcode, _UNSUPPORTED_VERSION, now_s)
    if opcode == _ADDRESS:
        outside = socket.inet_aton(nat.public_hosts[0])
        return _head(opcode, _SUCCESS, now_s) + outside
    if opcode != _MAP_UDP:
        return _head(opcode, _UNSUPPORTED_OPCODE, now_s)
    if len(request) != _REQUEST.size:
        return None
    _, _, port, wanted, lifetime_s = _REQUEST.unpack(request)
    if lifetime_s == 0:
        nat.unmap_port((client[0], port), now_s)
        return _head(opcode, _SUCCESS, now_s) + _MAPPING.pack(port, 0, 0)
    mapped = nat.map_port((client[0], port), float(lifetime_s), now_s)
    if mapped is None:
        return _head(opcode, _OUT_OF_RESOURCES, now_s) + _MAPPING.pack(port, wanted, 0)
    return _head(opcode, _SUCCESS, now_s) + _MAPPING.pack(port, mapped[1], lifetime_s)


def _head(opcode: int, result: int, now_s: float) -> bytes:
    return _HEAD.pack(_VERSION, _ANSWER + opcode, result, int(now_s))
