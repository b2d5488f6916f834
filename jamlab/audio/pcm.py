"""The PCM format of jamlab: 48 kHz, stereo, float32.

A *block* is a float array of shape ``(frames, 2)`` with full scale at ±1.0. A *frame* is one sample
per channel, as for sound cards; positions and lengths are numbers of frames, as ``int``.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 48_000
"""Frames per second."""

CHANNELS = 2
"""Left and right."""

Block: TypeAlias = NDArray[np.float32]
"""Interleaved stereo audio, shape ``(frames, CHANNELS)``, float32, full scale ±1.0."""


def silence(frames: int) -> Block:
    """Return a block of digital silence."""
    return np.zeros((frames, CHANNELS), dtype=np.float32)
