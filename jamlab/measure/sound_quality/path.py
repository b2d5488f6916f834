"""One path in virtual time: music is captured, encoded, sent, buffered, decoded and played.

::

    music ─▶ FrameEncoder ─▶ access link ─▶ access link ─▶ Playout ─▶ what is heard

Encoder, links, playout buffer and decoder are those of sessions; the cards' callbacks, one a block,
are the only clock. The listener's card calls back a fraction of a block after the sender's.
"""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jamlab.audio.pcm import SAMPLE_RATE, Block
from jamlab.media.encoder import EncodedFrame, FrameEncoder
from jamlab.media.opus import OpusDecoder
from jamlab.media.playout.follower import FollowedRate
from jamlab.media.playout.playout import Playout
from jamlab.media.quality import Quality
from jamlab.networks.model.link import Link, LinkConfig

HEADER_BYTES = 58
"""Bytes of a packet besides its payload: IPv4, UDP, RTP with an extension, SRTP."""


@dataclass(frozen=True)
class Heard:
    """What a path plays."""

    sound: Block
    """The blocks that the listener's card plays."""
    later_frames: float
    """Time from the capture of a frame to the play of the frame with the same index."""
    sent_s: float
    """Time during which packets were sent."""
    payload_bytes: int
    packets: int
    played_frames: int
    """Frames decoded from packets, after the settling time."""
    concealed_frames: int


class Path:
    """A path from a microphone to a loudspeaker, driven by the time of the cards' callbacks."""

    def __init__(
        self, quality: Quality, access: LinkConfig, rng: random.Random, block_frames: int
    ) -> None:
        self._encoder = FrameEncoder(quality)
        self._links = Link(access, rng), Link(access, rng)
        self._now_s = 0.0
        self._playout = Playout(OpusDecoder(), rate=FollowedRate(lambda: self._now_s))
        self._block_frames = block_frames
        self._later_s = rng.random() * block_frames / SAMPLE_RATE
        self._on_the_way: deque[tuple[float, int, EncodedFrame]] = deque()
        self._sent: list[int] = []

    def play(self, music: Block, settle_frames: int) -> Heard:
        """Send music over the path and return what is heard, with a second of silence after it."""
        frames, blocks = self._block_frames, []
        before = after = self._counted
        padded = np.concatenate([music, np.zeros((SAMPLE_RATE, 2), np.float32)])
        for start in range(0, len(padded) - frames + 1, frames):
            self._send(padded[start : start + frames], (start + frames) / SAMPLE_RATE)
            blocks.append(self._receive((start + frames) / SAMPLE_RATE + self._later_s))
            before = self._counted if start < settle_frames else before
            after = self._counted if start < len(music) else after
        return Heard(
            np.concatenate(blocks),
            self._later_s * SAMPLE_RATE + 2 * frames,
            len(padded) / SAMPLE_RATE,
            sum(self._sent),
            len(self._sent),
            *(late - early for late, early in zip(after, before, strict=True)),
        )

    @property
    def _counted(self) -> tuple[int, int]:
        """Frames played and concealed so far."""
        return self._playout.counters.played_frames, self._playout.counters.concealed_frames

    def _send(self, block: Block, now_s: float) -> None:
        for frame in self._encoder.push(block):
            for arrival_s in self._arrivals(frame, now_s):
                self._on_the_way.append((arrival_s, len(self._sent), frame))
            self._sent.append(len(frame.payload))

    def _arrivals(self, frame: EncodedFrame, now_s: float) -> Iterator[float]:
        """Yield when a frame arrives over both access links."""
        size_bytes = len(frame.payload) + HEADER_BYTES
        for between_s in self._links[0].transit(size_bytes, now_s):
            yield from self._links[1].transit(size_bytes, between_s)

    def _receive(self, now_s: float) -> Block:
        """Return the block that the listener's card plays next."""
        while self._on_the_way and self._on_the_way[0][0] <= now_s:
            arrival_s, number, frame = self._on_the_way.popleft()
            self._playout.receive(number % 2**16, frame.position, frame.payload, arrival_s)
        self._now_s = now_s
        return self._playout.pull(self._block_frames)
