"""Levels of sound in dBFS, by the convention of AES17: a sine of full scale reads 0 dBFS.

That holds for its peak and for its RMS alike. The RMS of a sine is 1/√2 of its peak, so an RMS
level here is 3.01 dB above 20·lg of the bare root mean square, and a square wave of full scale
reads +3.01 dBFS RMS. Peaks are those of the samples; what a converter draws between them can be
higher (ITU-R BS.1770 calls that the true peak).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jamlab.audio.pcm import Block

SILENT_DBFS = -144.0
"""What silence reads: half a step of 24 bits, below which no converter goes."""


def peak_dbfs(block: Block) -> NDArray[np.float64]:
    """Return each channel's sample peak.

    Parameters
    ----------
    block : Block
        At least one frame, all values finite.

    Returns
    -------
    ndarray, shape (channels,)
        In dBFS, never below `SILENT_DBFS`.

    Raises
    ------
    ValueError
        When there is nothing to measure, or it is no sound.
    """
    return dbfs_of(np.abs(_checked(block)).max(axis=0))


def rms_dbfs(block: Block) -> NDArray[np.float64]:
    """Return each channel's RMS level (AES17: that of a full-scale sine is 0 dBFS).

    Parameters, returns and errors as of `peak_dbfs`.
    """
    return dbfs_of(np.sqrt(2 * np.mean(np.square(_checked(block)), axis=0)))


def dbfs_of(amplitude: ArrayLike) -> NDArray[np.float64]:
    """Return the level of a sine of an amplitude, full scale being 1, in dBFS."""
    least = amplitude_of(SILENT_DBFS)
    return np.asarray(20 * np.log10(np.maximum(np.abs(amplitude), least)), dtype=np.float64)


def amplitude_of(level_dbfs: float) -> float:
    """Return the amplitude of a sine of a level."""
    return float(10 ** (level_dbfs / 20))


def _checked(block: Block) -> NDArray[np.float64]:
    if block.ndim != 2 or len(block) == 0:
        raise ValueError(f"a block of shape {block.shape} has no level: pass (frames, channels)")
    if not np.isfinite(block).all():
        raise ValueError("a block with NaN or infinite values has no level: replace them")
    return block.astype(np.float64)
