"""Encoding of captured blocks into Opus frames, by one encoder for all peers.

The card's blocks and the Opus frames have different lengths; a buffer of one frame stands between
them. No I/O and no clock: a frame is complete once its last sample is captured.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jamlab.audio.pcm import CHANNELS, Block
from jamlab.media.encoder_change import EncoderChange
from jamlab.media.opus import OpusEncoder
from jamlab.media.quality import Quality


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One Opus frame, and the position of its first sample in the captured sound."""

    payload: bytes
    """The Opus packet, the payload of an RTP packet."""

    position: int
    """Capture position of the first sample, in frames at 48 kHz."""


class FrameEncoder:
    """An encoder that cuts the captured sound into Opus frames and encodes each once."""

    def __init__(self, quality: Quality) -> None:
        self._opus = OpusEncoder(quality)
        self._wanted = quality
        self._handover: EncoderChange | None = None
        self._frame = _empty(quality.frame_frames)
        self._filled = 0
        self._peers = 1
        self._position = 0

    @property
    def quality(self) -> Quality:
        """The quality asked for; a new one takes effect some 200 ms of sound later.

        Frames and positions continue without a gap; see `jamlab.media.encoder_change`.
        """
        return self._wanted

    @quality.setter
    def quality(self, quality: Quality) -> None:
        self._wanted = quality

    @property
    def frame_frames(self) -> int:
        """Length of the frame that is being filled."""
        return len(self._frame)

    @property
    def captured_frames(self) -> int:
        """Frames captured so far: the position of the next."""
        return self._position + self._filled

    def serve(self, peers: int) -> None:
        """Choose the frame length for a number of peers; it applies from the next frame on."""
        self._peers = peers

    def push(self, block: Block) -> Iterator[EncodedFrame]:
        """Take a captured block of any length; yield each frame that it completes."""
        taken = 0
        while taken < len(block):
            count = min(len(self._frame) - self._filled, len(block) - taken)
            sound = block[taken : taken + count]
            if self._handover is not None:
                sound = self._handover.feed(sound)
            self._frame[self._filled : self._filled + count] = sound
            self._filled += count
            taken += count
            if self._filled == len(self._frame):
                yield self._encode()

    def _encode(self) -> EncodedFrame:
        encoded = EncodedFrame(self._opus.encode(self._frame), self._position)
        self._position += len(self._frame)
        self._filled = 0
        self._hand_over()
        length = self._opus.quality.frame_for(self._peers)
        if length != len(self._frame):
            self._frame = _empty(length)
        return encoded

    def _hand_over(self) -> None:
        """Begin, continue or end a change of quality; called at the end of a frame."""
        handover = self._handover
        if handover is None:
            if self._wanted != self._opus.quality:
                self._handover = EncoderChange(self._opus, OpusEncoder(self._wanted))
        elif handover.taken_over:
            self._handover = None if handover.over else handover
        elif handover.drive(handover.new.quality.frame_for(self._peers)):
            self._opus = handover.take_over()


def _empty(frames: int) -> Block:
    return np.empty((frames, CHANNELS), dtype=np.float32)
