"""The sockets of an ICE agent, on which STUN, DTLS and SRTP arrive together (RFC 7983)."""

import ipaddress
import logging
import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from aioice import Connection
from aioice.ice import StunProtocol
from aioice.stun import Message, Transaction

from jamlab.media.ice_connection import is_dtls_or_srtp

log = logging.getLogger(__name__)

Address: TypeAlias = tuple[str, int]

TakeData: TypeAlias = Callable[[bytes, Address, StunProtocol], None]
"""Takes a datagram that may be DTLS or SRTP, its source, and the socket it came to."""


_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


def may_be_checked(host: str, port: int) -> bool:
    """Return whether checks may be sent to an address: it is one host's, and ours to reach.

    RFC 8445 §5.1.1.1 excludes IPv4 addresses in IPv6's form, and RFC 8839 §5.1 zones, which mean
    nothing on another machine. What is not an address is left to the caller.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
        return False
    several = address.is_multicast or address == _BROADCAST
    return port > 0 and not (several or address.is_unspecified)


class Socket(StunProtocol):
    """A socket of an agent: STUN goes aioice's way, everything else to the agent at once."""

    def __init__(self, receiver: Connection, take_data: TakeData) -> None:
        super().__init__(receiver)
        self._take_data = take_data

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Take a datagram (RFC 7983 §7); malformed STUN is ignored (RFC 8489 §6.3)."""
        assert isinstance(data, bytes)
        if data and data[0] < 4:
            try:
                super().datagram_received(data, addr)
            except struct.error as error:  # aioice reads attributes without a look at their length
                log.info("malformed STUN from %s: %s", addr[0], error)
        elif is_dtls_or_srtp(data):
            self._take_data(data, (addr[0], addr[1]), self)


class AwaitedAnswer(Transaction):
    """The answer to one check, which is awaited without a task and not asked for again."""

    def __init__(self, take: Callable[[Message, Address], None]) -> None:
        self._take = take

    def response_received(self, message: Message, addr: Address) -> None:
        """Take the answer."""
        self._take(message, addr)
