"""Splices: changes of a block's length by a few frames without a step in the waveform.

Both functions keep the first and the last sample where they were relative to the neighbouring
blocks and cross-fade in between. The two copies are a millisecond apart at the most and therefore
alike, so the fade keeps the sum of the gains, not of the powers, at one.
"""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from jamlab.audio.pcm import Block

_SILENCE = 1e-12


def longest_splice(frames: int) -> int:
    """Return the largest number of frames that a splice may insert or remove in a block."""
    return frames // 4


def most_similar(block: Block, most: int) -> int:
    """Return the frames, from half of `most` to `most`, whose splice alters the waveform least.

    The two copies are compared by their correlation, all channels together; a silent block takes
    `most`. Frames are at most the block's `longest_splice`.
    """
    least, overlap = max(1, most // 2), len(block) // 2
    samples = block[: overlap + most].astype(np.float64)
    shifted = sliding_window_view(samples[least:], overlap, axis=0)
    products = np.einsum("lct,tc->l", shifted, samples[:overlap])
    energies = np.einsum("lct,lct->l", shifted, shifted)
    scores = products / np.sqrt(np.maximum(energies, _SILENCE))
    return most - int(scores[::-1].argmax())


def shorten(block: Block, frames: int) -> Block:
    """Remove `frames` frames from a block, at most its `longest_splice`."""
    overlap = _overlap(block, frames)
    faded = _cross_fade(block[:overlap], block[frames : frames + overlap])
    return np.concatenate((faded, block[frames + overlap :]))


def lengthen(block: Block, frames: int) -> Block:
    """Insert `frames` frames into a block, at most its `longest_splice`."""
    overlap = _overlap(block, frames)
    faded = _cross_fade(block[frames : frames + overlap], block[:overlap])
    return np.concatenate((block[:frames], faded, block[overlap:]))


def _overlap(block: Block, frames: int) -> int:
    if not 0 < frames <= longest_splice(len(block)):
        raise ValueError(
            f"a block of {len(block)} frames takes a splice of 1 to {longest_splice(len(block))} "
            f"frames, not {frames}"
        )
    return len(block) // 2


def _cross_fade(outgoing: Block, incoming: Block) -> Block:
    rising = _ramp(len(outgoing))
    return outgoing * (1 - rising) + incoming * rising


@cache
def _ramp(frames: int) -> NDArray[np.float32]:
    """Return a raised cosine from 0 to 1, shape ``(frames, 1)``."""
    phase = (np.arange(frames, dtype=np.float32) + 0.5) / frames
    ramp: NDArray[np.float32] = (0.5 - 0.5 * np.cos(np.pi * phase)).astype(np.float32)
    return ramp[:, np.newaxis]
