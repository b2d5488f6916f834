"""Resampling of a stream by a ratio near 1 that may change with every block.

Theory of operation
-------------------
libsamplerate interpolates with a windowed sinc (J. O. Smith, "Digital Audio Resampling Home Page",
CCRMA) and changes its ratio evenly over a block, so a change of rate leaves no step in the
waveform. Its filter *fastest* has a look-ahead of `LOOK_AHEAD` frames, which it adds to the delay.
It passes up to 18 kHz, and its distortion of a sine of 1 kHz is below -110 dB
(`tests/media/playout/test_resampler.py`).

It requests more input when it has none left. The first request is answered with all but one or two
of the frames that it will need, the rest one by one, so that it never takes more than it uses.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
from samplerate import CallbackResampler

from jamlab.audio.pcm import CHANNELS, Block, silence

LOOK_AHEAD = 20
"""Input frames that the filter needs beyond the output frame: its look-ahead."""
PRIMED = 64
"""Input frames before the first output frame, which fill the filter."""


Pull: TypeAlias = Callable[[int], Block]
"""The source: returns its next frames, in the number asked for."""


class Resampler:
    """A resampler that pulls whole frames from a source and returns any number at any rate.

    `past` has the last `PRIMED` frames of the source, which were used unaltered; the resampler's
    first frame follows them.
    """

    def __init__(self, past: Block, pull: Pull) -> None:
        self._feed = _Feed(past)
        self._resampler = CallbackResampler(self._feed, 1.0, "sinc_fastest", CHANNELS)
        self.read(len(past), 1.0, pull)

    def read(self, frames: int, rate: float, pull: Pull) -> Block:
        """Return exactly so many next frames, shape ``(frames, 2)``.

        `rate` is the number of input frames for each output frame, reached at the block's end.
        """
        if frames == 0:
            return silence(0)
        self._resampler.ratio = 1 / rate
        with self._feed.fed_by(pull, int(frames * rate) - 1):
            block: Block = self._resampler.read(frames)
        return block


class _Feed:
    """The input callback of libsamplerate.

    It holds the source only during a read, for Python cannot free what libsamplerate keeps.
    """

    def __init__(self, past: Block) -> None:
        self._past: Block | None = past
        self._pull: Pull = silence
        self._wanted = 1

    @contextmanager
    def fed_by(self, pull: Pull, wanted: int) -> Iterator[None]:
        """Connect a source, and make the first request to it of a given length."""
        self._pull, self._wanted = pull, max(wanted, 1)
        try:
            yield
        finally:
            self._pull = silence

    def __call__(self) -> Block:
        past, self._past = self._past, None
        if past is not None:
            self._wanted = 1
            return past
        wanted, self._wanted = self._wanted, 1
        return np.ascontiguousarray(self._pull(wanted), dtype=np.float32)
