"""A stream of blocks at a rate a little off that of its source, and never twice the same.

Theory of operation
-------------------
libsamplerate interpolates band-limited by a windowed sinc (J. O. Smith, "Digital Audio Resampling
Home Page", CCRMA) and goes from one ratio to the next evenly over what it is asked for, so a rate
that changes leaves no step in the waveform. Of its filters *fastest* looks `LOOK_AHEAD` frames
ahead, which is what it adds to the delay. It passes up to 18 kHz, and what it adds to a sine of
1 kHz is below -110 dB (`tests/media/playout/test_resampler.py`).

It asks for more when it has nothing left. It is given all but one or two frames of what it will
need in one go and the rest one by one, so that it never takes more than it uses.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
from samplerate import CallbackResampler

from jamlab.audio.pcm import CHANNELS, Block, silence

LOOK_AHEAD = 20
"""Frames of the source the filter has to have beyond the one it makes."""
PRIMED = 64
"""Frames before the first that a resampler wants to have, for its filter to be full."""


Pull: TypeAlias = Callable[[int], Block]
"""The source: returns its next so many frames."""


class Resampler:
    """Makes any number of frames at any rate out of a source that is asked for whole frames.

    Parameters
    ----------
    past : Block
        The last `PRIMED` frames that came from the source and were used as they were. The first
        frame this makes is the one that follows them.
    pull : callable
        The source.
    """

    def __init__(self, past: Block, pull: Pull) -> None:
        self._feed = _Feed(past)
        self._resampler = CallbackResampler(self._feed, 1.0, "sinc_fastest", CHANNELS)
        self.read(len(past), 1.0, pull)

    def read(self, frames: int, rate: float, pull: Pull) -> Block:
        """Return the next frames.

        Parameters
        ----------
        frames : int
            How many; exactly so many are returned.
        rate : float
            Frames of the source for each of these, reached in the course of them.
        pull : callable
            The source.

        Returns
        -------
        Block
            Shape ``(frames, 2)``.
        """
        if frames == 0:
            return silence(0)
        self._resampler.ratio = 1 / rate
        with self._feed.fed_by(pull, int(frames * rate) - 1):
            block: Block = self._resampler.read(frames)
        return block


class _Feed:
    """What libsamplerate asks for more.

    It has the source only while it is read, for what libsamplerate keeps Python cannot free.
    """

    def __init__(self, past: Block) -> None:
        self._past: Block | None = past
        self._pull: Pull = silence
        self._wanted = 1

    @contextmanager
    def fed_by(self, pull: Pull, wanted: int) -> Iterator[None]:
        """Have a source, and ask it for so much first."""
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
