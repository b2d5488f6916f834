"""The jitter buffer of stock aiortc, as it is installed, and the queue behind it.

aiortc's receiver keeps 16 packets at most and gives one on when four follow it without a gap
(``aiortc.jitterbuffer``, ``rtcrtpreceiver``: ``capacity=16, prefetch=4``). Decoded frames wait in a
queue of any length until the application takes them. A card takes them at its own rate here: when
the queue is empty it plays silence, and nothing shortens the queue again. A packet that the jitter
buffer gave up is left out, and the sound after it follows at once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from aiortc.jitterbuffer import JitterBuffer

from jamlab.measure.playout.packets import PacketTimes
from jamlab.measure.playout.playback import NEVER, Playback
from jamlab.media.rtp import RTP_TIMESTAMPS, timestamp_difference

_CAPACITY, _PREFETCH = 16, 4
_SEQUENCE_NUMBERS = 2**16


@dataclass(slots=True)
class _Packet:
    """What the jitter buffer reads of a packet."""

    sequence_number: int
    timestamp: int
    _data: bytes = b""


def stock_aiortc(packets: PacketTimes) -> Playback:
    """Return what stock aiortc's receiver and a card make of a stream's packets."""
    buffer = JitterBuffer(capacity=_CAPACITY, prefetch=_PREFETCH)
    frame = packets.frame_frames
    played = np.full(packets.count, NEVER, np.int64)
    silences: list[tuple[int, int]] = []
    free_at = -1  # frame at which the card has played all that it was given
    for number in packets.by_arrival.tolist():
        position = number * frame
        packet: Any = _Packet(number % _SEQUENCE_NUMBERS, position % RTP_TIMESTAMPS)
        _, given = buffer.add(packet)
        if given is None:
            continue
        ready_at = int(packets.playable_frames[number])
        if 0 <= free_at < ready_at:
            silences.append((free_at, ready_at - free_at))
        begins_at = max(free_at, ready_at)
        played[(position + timestamp_difference(given.timestamp, position)) // frame] = begins_at
        free_at = begins_at + frame
    gaps = np.array(silences, np.int64).reshape(-1, 2)
    return Playback(packets, played, gaps[:, 0], gaps[:, 1])
