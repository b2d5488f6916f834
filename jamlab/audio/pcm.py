"""The one PCM format jamlab speaks, and the types that carry it.

A *block* is a float array of shape ``(frames, 2)``, full scale at ±1.0. A *frame* is one sample per
channel (the sound card's word); positions and lengths count frames as ``int``.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 48_000
"""Frames per second, everywhere."""

CHANNELS = 2
"""Left and right."""

Block: TypeAlias = NDArray[np.float32]
"""Interleaved stereo audio, shape ``(frames, CHANNELS)``, float32, full scale ±1.0."""


def silence(frames: int) -> Block:
    """Return a block of digital silence.

    Parameters
    ----------
    frames : int
        Length of the block.
    """
    return np.zeros((frames, CHANNELS), dtype=np.float32)
