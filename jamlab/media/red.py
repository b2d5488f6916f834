"""Redundant audio (RED, RFC 2198): an RTP payload with earlier Opus frames beside its own.

::

    0                   1                   2                   3
    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
   +-+-------------+---------------------------+-------------------+
   |1|   type      |  timestamp offset         |   length          |   for each earlier frame
   +-+-------------+---------------------------+-------------------+
   |0|   type      |   for the packet's own frame, the primary
   +-+-------------+
   | the frames in the order of their headers: the oldest first, the primary last

A lost packet's frame comes again in the packet behind it, so a single loss costs no sound at a
receiver whose playout buffer waits for one packet more. libopus' own redundancy (LBRR) does nothing
for music, which it codes with CELT.

The fields limit what fits: an earlier frame is at most `MOST_OFFSET` frames older than the primary
and at most `MOST_REDUNDANT_BYTES` long. And the packet must not be fragmented on its way, so a
payload has at most `MOST_PAYLOAD_BYTES`, the limit of libwebrtc.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jamlab.media.encoder import EncodedFrame
from jamlab.media.rtp import RTP_SEQUENCE_NUMBERS, RTP_TIMESTAMPS

MOST_OFFSET = (1 << 14) - 1
"""Largest timestamp offset of an earlier frame, in frames at 48 kHz: 341 ms."""

MOST_REDUNDANT_BYTES = (1 << 10) - 1
"""Longest earlier frame."""

MOST_PAYLOAD_BYTES = 1200
"""Longest payload that is made."""

_MOST_BLOCKS = 32  # as libwebrtc reads
_FURTHER = 0x80  # F: another header follows


class MalformedRedError(ValueError):
    """A payload is not redundant audio."""


@dataclass(frozen=True, slots=True)
class RedFormat:
    """RTP payload types of redundant audio, and of the Opus frames inside it (RFC 3551)."""

    red: int
    opus: int

    def __post_init__(self) -> None:
        if self.red == self.opus or not (0 <= self.red < 128 and 0 <= self.opus < 128):
            raise ValueError(
                f"payload types of RED and Opus are {self.red} and {self.opus}: give two "
                "different ones, 0 to 127"
            )

    @property
    def inside(self) -> str:
        """The formats inside as a description states them (RFC 2198 §5)."""
        return f"{self.opus}/{self.opus}"


@dataclass(frozen=True, slots=True)
class RedFrame:
    """An Opus frame of a RED payload."""

    payload: bytes
    offset_frames: int
    """How much older it is than the packet's timestamp, in frames at 48 kHz; 0 is the primary."""


def fits(primary: bytes, earlier: Sequence[RedFrame]) -> bool:
    """Return whether earlier frames fit into a payload beside the primary."""
    return (
        len(earlier) < _MOST_BLOCKS
        and all(
            0 < len(frame.payload) <= MOST_REDUNDANT_BYTES
            and 0 < frame.offset_frames <= MOST_OFFSET
            for frame in earlier
        )
        and 1 + len(primary) + sum(4 + len(frame.payload) for frame in earlier)
        <= MOST_PAYLOAD_BYTES
    )


def pack(primary: bytes, earlier: Sequence[RedFrame], opus: int) -> bytes:
    """Return a payload of earlier frames, the oldest first, and the primary.

    Raises `ValueError` when they do not fit; `fits` tells before.

    Examples
    --------
    >>> pack(b"new", [RedFrame(b"old", 120)], opus=96).hex(" ")
    'e0 01 e0 03 60 6f 6c 64 6e 65 77'
    """
    if not fits(primary, earlier):
        lengths = [len(frame.payload) for frame in earlier]
        raise ValueError(
            f"frames of {lengths} bytes, {[frame.offset_frames for frame in earlier]} frames "
            f"older, do not fit beside one of {len(primary)} bytes: send it without them"
        )
    headers = [_header(frame, opus) for frame in earlier]
    return b"".join([*headers, bytes([opus]), *(frame.payload for frame in earlier), primary])


def parse(payload: bytes, opus: int) -> list[RedFrame]:
    """Return the Opus frames of a payload, the oldest first and the primary last.

    Earlier frames of other formats, and empty ones, are left out. Raises `MalformedRedError` when
    the payload is not redundant audio or its primary is not Opus.

    Examples
    --------
    >>> parse(bytes.fromhex("e0 01 e0 03 60 6f 6c 64 6e 65 77"), opus=96)
    [RedFrame(payload=b'old', offset_frames=120), RedFrame(payload=b'new', offset_frames=0)]
    """
    earlier, primary, at = _headers(payload)
    if primary != opus:
        raise MalformedRedError(f"the packet's own frame has payload type {primary}, not {opus}")
    frames: list[RedFrame] = []
    for kind, offset, length in earlier:
        if kind == opus and length and offset:
            frames.append(RedFrame(payload[at : at + length], offset))
        at += length
    if at > len(payload):
        raise MalformedRedError(f"its frames are {at - len(payload)} bytes longer than it is")
    return [*frames, RedFrame(payload[at:], 0)]


class RedPacker:
    """Packs the Opus frames of one stream, each with the one before it while redundancy is on."""

    def __init__(self, types: RedFormat) -> None:
        self.on = False
        self.alone = 0
        """Frames that had to go alone while redundancy was on, for the two were too long."""
        self._types = types
        self._last: EncodedFrame | None = None

    def pack(self, frame: EncodedFrame) -> tuple[bytes, int]:
        """Return the payload of the next packet and its payload type."""
        last, self._last = self._last, frame
        if not self.on or last is None:
            return frame.payload, self._types.opus
        earlier = [RedFrame(last.payload, frame.position - last.position)]
        if not fits(frame.payload, earlier):
            self.alone += 1
            return frame.payload, self._types.opus
        return pack(frame.payload, earlier, self._types.opus), self._types.red


def numbered(
    frames: Sequence[RedFrame], sequence: int, timestamp: int
) -> list[tuple[int, int, bytes]]:
    """Return sequence number, timestamp and payload of the packets that frames were sent in first.

    The numbers are those of the packet that has them all; each frame is one packet older than the
    next.
    """
    return [
        (
            (sequence - back) % RTP_SEQUENCE_NUMBERS,
            (timestamp - frame.offset_frames) % RTP_TIMESTAMPS,
            frame.payload,
        )
        for back, frame in zip(range(len(frames) - 1, -1, -1), frames, strict=True)
    ]


def _header(frame: RedFrame, opus: int) -> bytes:
    fields = (_FURTHER | opus) << 24 | frame.offset_frames << 10 | len(frame.payload)
    return fields.to_bytes(4, "big")


def _headers(payload: bytes) -> tuple[list[tuple[int, int, int]], int, int]:
    """Return type, offset and length of each earlier frame, the primary's type, and their end."""
    earlier: list[tuple[int, int, int]] = []
    for at in range(0, 4 * _MOST_BLOCKS, 4):
        if at >= len(payload):
            raise MalformedRedError("it ends within its headers")
        if not payload[at] & _FURTHER:
            return earlier, payload[at], at + 1
        fields = int.from_bytes(payload[at : at + 4], "big")
        earlier.append((payload[at] & 0x7F, fields >> 10 & MOST_OFFSET, fields & 0x3FF))
    raise MalformedRedError(f"it has more than {_MOST_BLOCKS} frames")
