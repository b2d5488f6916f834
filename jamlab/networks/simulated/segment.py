"""Segments of simulated streams: how they are written, and the answer to a stray one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from jamlab.networks.model.packet import TCP, Packet

if TYPE_CHECKING:
    pass


HEADER = struct.Struct("!BQ")


SYN, SYN_ACK, DATA, FIN, RESET = range(5)


def reset_for(packet: Packet) -> Packet | None:
    """Return what a host answers to a segment no stream of its own awaits (RFC 9293 §3.5.2).

    Parameters
    ----------
    packet : Packet
        The segment.
    """
    if packet.payload[0] == RESET:
        return None
    return Packet(packet.destination, packet.source, HEADER.pack(RESET, 0), TCP)
