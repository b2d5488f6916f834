"""RTP packets (RFC 3550 §5.1), and the arithmetic of their numbers, which wrap around."""

import struct
from dataclasses import dataclass

RTP_TIMESTAMPS = 1 << 32
"""Number of different timestamps."""

RTP_SEQUENCE_NUMBERS = 1 << 16
"""Number of different sequence numbers."""


def timestamp_difference(timestamp: int, earlier: int) -> int:
    """Return the frames between two timestamps, from -2³¹ to 2³¹ - 1."""
    return _nearest_to_zero(timestamp - earlier, RTP_TIMESTAMPS)


def sequence_difference(sequence: int, earlier: int) -> int:
    """Return the packets between two sequence numbers, from -2¹⁵ to 2¹⁵ - 1."""
    return _nearest_to_zero(sequence - earlier, RTP_SEQUENCE_NUMBERS)


def _nearest_to_zero(difference: int, modulus: int) -> int:
    half = modulus // 2
    return (difference + half) % modulus - half


_HEADER = struct.Struct("!BBHLL")
_EXTENSION = struct.Struct("!HH")
_VERSION, _PADDING, _EXTENDED, _SOURCES = 0x80, 0x20, 0x10, 0x0F
_MARKER, _TYPE = 0x80, 0x7F


@dataclass(frozen=True, slots=True)
class ReceivedPacket:
    """An RTP packet as it came, without what jamlab has no use for."""

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse_rtp(data: bytes) -> ReceivedPacket:
    """Return the packet in a datagram; raises ValueError for one that is not RTP, or cut short."""
    if len(data) < _HEADER.size:
        raise ValueError(f"an RTP packet has {_HEADER.size} bytes and more, not {len(data)}")
    first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(data)
    if first & 0xC0 != _VERSION:
        raise ValueError(f"an RTP packet begins with version 2, not {first >> 6}")
    begin, end = _HEADER.size + 4 * (first & _SOURCES), len(data)
    if first & _EXTENDED:
        if end < begin + _EXTENSION.size:
            raise ValueError("an RTP packet ends within its header")
        begin += _EXTENSION.size + 4 * _EXTENSION.unpack_from(data, begin)[1]
    if begin > end:
        raise ValueError("an RTP packet ends within its header")
    if first & _PADDING:
        padding = data[-1]
        if not 0 < padding <= end - begin:
            raise ValueError(f"an RTP packet has {padding} bytes of padding in {end - begin}")
        end -= padding
    return ReceivedPacket(second & _TYPE, sequence_number, timestamp, ssrc, data[begin:end])


class PacketMaker:
    """The RTP packets of one stream, each with a whole frame of sound.

    `extension` is the header extension of every packet (RFC 3550 §5.3.1), as it is sent, a multiple
    of four bytes of any profile; empty for none.
    """

    def __init__(
        self,
        payload_type: int,
        ssrc: int,
        sequence_number: int,
        *,
        profile: int = 0,
        extension: bytes = b"",
    ) -> None:
        self._first = _VERSION | (_EXTENDED if extension else 0)
        self._second = _MARKER | payload_type
        self._ssrc = ssrc
        self._sequence_number = sequence_number
        words = len(extension) // 4
        self._extension = _EXTENSION.pack(profile, words) + extension if extension else b""

    def packet(self, timestamp: int, payload: bytes, payload_type: int | None = None) -> bytes:
        """Return the next packet, of the stream's payload type unless it has another."""
        second = self._second if payload_type is None else _MARKER | payload_type
        header = _HEADER.pack(self._first, second, self._sequence_number, timestamp, self._ssrc)
        self._sequence_number = (self._sequence_number + 1) & 0xFFFF
        return header + self._extension + payload
