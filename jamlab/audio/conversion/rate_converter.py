"""Conversion for a sound card that does not run at 48 kHz, e.g. at 44.1 kHz only.

libsamplerate converts what the card captures to 48 kHz, and what it plays to the card's rate. Both
conversions need a few frames beyond the frame they return, their look-ahead, and blocks of 48 kHz
do not fit those of the card. So playback begins with silence, just long enough that the card never
lacks a frame::

    card, 44.1 kHz   ──n frames──▶ to 48 kHz ──▶ whole blocks of B frames ──▶ exchange
    card, 44.1 kHz   ◀──n frames── silence, then ◀── to 44.1 kHz ◀── blocks of B ──┘

That silence is the whole delay of the conversion, `delay_s`: the converters align the frames they
return with those they take, so nothing else shifts them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from samplerate import Resampler

from jamlab.audio.conversion.channels import Samples

SAMPLE_RATE = 48_000
"""The rate of `jamlab.audio.pcm`, which imports nothing from here."""

FILTER = "sinc_fastest"
"""libsamplerate's: its look-ahead is 0.4 ms, and it passes up to 17 kHz at 44.1 kHz."""


class RateConverter:
    """Exchanges blocks of any length at a card's rate for blocks of `block_frames` at 48 kHz.

    `exchange` takes a captured block of 48 kHz, with as many channels as the card captures, and
    returns the block to play.
    """

    def __init__(
        self,
        rate: float,
        block_frames: int,
        captured_channels: int,
        played_channels: int,
        exchange: Callable[[Samples], Samples],
    ) -> None:
        self._block_frames, self._swap = block_frames, exchange
        self._to_48k = _Converter(SAMPLE_RATE / rate, captured_channels)
        self._to_card = _Converter(rate / SAMPLE_RATE, played_channels)
        self._captured = np.zeros((0, captured_channels), dtype=np.float32)
        waits = block_frames + self._to_48k.look_ahead
        delay = math.ceil(waits * rate / SAMPLE_RATE) + self._to_card.look_ahead + 1
        self._to_play = np.zeros((delay, played_channels), dtype=np.float32)
        self.delay_s = delay / rate
        """Time that the conversion adds to the card's round trip."""

    def exchange(self, captured: Samples) -> Samples:
        """Take a block that the card captured, and return one of the same length to play."""
        self._captured = np.concatenate([self._captured, self._to_48k.convert(captured)])
        played = [self._to_play]
        while len(self._captured) >= self._block_frames:
            block = self._captured[: self._block_frames]
            self._captured = self._captured[self._block_frames :]
            played.append(self._to_card.convert(self._swap(block)))
        queue = np.concatenate(played)
        self._to_play = queue[len(captured) :]
        return queue[: len(captured)]


class _Converter:
    """One direction of a conversion."""

    def __init__(self, ratio: float, channels: int) -> None:
        self._ratio, self._channels = ratio, channels
        self._resampler = Resampler(FILTER, channels)
        self.look_ahead = _held_back(ratio)
        """Frames after conversion that are not returned yet."""

    def convert(self, samples: Samples) -> Samples:
        """Return all frames that are ready now."""
        converted: Samples = self._resampler.process(np.ascontiguousarray(samples), self._ratio)
        return converted.reshape(-1, self._channels)


def _held_back(ratio: float) -> int:
    """Measure how many frames a conversion holds back, with blocks as short as cards have."""
    given, resampler = 1024, Resampler(FILTER, 1)
    blocks = np.zeros((given // 16, 16), dtype=np.float32)
    done = [16 * at * ratio - got for at, got in _progress(resampler, blocks, ratio)]
    return math.ceil(max(done)) + 1


def _progress(resampler: Resampler, blocks: Samples, ratio: float) -> list[tuple[int, int]]:
    got, progress = 0, []
    for at, block in enumerate(blocks, 1):
        got += len(resampler.process(block, ratio))
        progress.append((at, got))
    return progress
