"""Levels of sound in dBFS, by the convention of AES17: a sine of full scale reads 0 dBFS.

That holds for its peak and for its RMS alike. The RMS of a sine is 1/√2 of its peak, so an RMS
level here is 3.01 dB above 20·lg of the bare root mean square, and a square wave of full scale
reads +3.01 dBFS RMS. Peaks are sample peaks; the analogue signal between the samples can be higher
(true peak, ITU-R BS.1770).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jamlab.audio.pcm import Block

SILENT_DBFS = -144.0
"""Level of silence: half a 24-bit step, below the resolution of any converter."""


def peak_dbfs(block: Block) -> NDArray[np.float64]:
    """Return each channel's sample peak in dBFS, never below `SILENT_DBFS`.

    Raises `ValueError` when the block is empty, not two-dimensional, or not finite.
    """
    return dbfs_of(np.abs(_checked(block)).max(axis=0))


def rms_dbfs(block: Block) -> NDArray[np.float64]:
    """Return each channel's RMS level (AES17), in the range and with the errors of `peak_dbfs`."""
    return dbfs_of(np.sqrt(2 * np.mean(np.square(_checked(block)), axis=0)))


def dbfs_of(amplitude: ArrayLike) -> NDArray[np.float64]:
    """Return the level in dBFS of a sine with an amplitude, where full scale is 1."""
    least = amplitude_of(SILENT_DBFS)
    return np.asarray(20 * np.log10(np.maximum(np.abs(amplitude), least)), dtype=np.float64)


def amplitude_of(level_dbfs: float) -> float:
    """Return the amplitude of a sine with a level in dBFS."""
    return float(10 ** (level_dbfs / 20))


def _checked(block: Block) -> NDArray[np.float64]:
    if block.ndim != 2 or len(block) == 0:
        raise ValueError(f"a block of shape {block.shape} has no level: pass (frames, channels)")
    if not np.isfinite(block).all():
        raise ValueError("a block with NaN or infinite values has no level: replace them")
    return block.astype(np.float64)
