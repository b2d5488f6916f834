"""Segment format of simulated streams, and the reset that answers an unexpected segment."""

from __future__ import annotations

import struct

from jamlab.networks.model.packet import TCP, Packet

HEADER = struct.Struct("!BQ")
SYN, SYN_ACK, DATA, FIN, RESET = range(5)


def reset_for(packet: Packet) -> Packet | None:
    """Return the reset that answers a segment without a stream, if any (RFC 9293 §3.5.2)."""
    if packet.payload[0] == RESET:
        return None
    return Packet(packet.destination, packet.source, HEADER.pack(RESET, 0), TCP)
