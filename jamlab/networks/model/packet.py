"""Packets and transport addresses of a simulated network."""

from typing import NamedTuple, TypeAlias

Address: TypeAlias = tuple[str, int]
"""A transport address: host, IPv4 or IPv6, and port."""

UDP, TCP = "udp", "tcp"


class Packet(NamedTuple):
    """One datagram, or one segment of a stream."""

    source: Address
    destination: Address
    payload: bytes
    transport: str = UDP


_RTP_HEADER = 12
_RTP_FIRST = range(128, 192)  # version 2 (RFC 3550 section 5.1)
_RTCP_SECOND = range(192, 224)  # packet types, where RTP has marker and payload type


def is_media(payload: bytes) -> bool:
    """Return whether a payload is RTP.

    Not RTP are STUN, DTLS, ChannelData (RFC 7983 section 7) and RTCP (RFC 5761 section 4).
    """
    return (
        len(payload) >= _RTP_HEADER and payload[0] in _RTP_FIRST and payload[1] not in _RTCP_SECOND
    )
