"""What travels on a simulated network."""

from typing import NamedTuple, TypeAlias

Address: TypeAlias = tuple[str, int]
"""A transport address: IPv4 host and port."""

UDP, TCP = "udp", "tcp"


class Packet(NamedTuple):
    """One datagram, or one segment of a stream."""

    source: Address
    destination: Address
    payload: bytes
    transport: str = UDP
