"""Spectrum analyser equal to a browser's AnalyserNode: Web Audio, *FFT Windowing and Smoothing*.

The last `fft_frames` frames, mixed down to mono, are weighted by a Blackman window (α = 0.16) and
transformed; magnitudes are divided by the number of frames, smoothed over time and given in
decibels. There is no correction: a full-scale sine in the middle of a bin has half its amplitude at
the positive frequency, and the window's coherent gain is 0.42, so it reads
20·lg(0.5 · 0.42) = −13.6 dB. Smoothing is per reading, so it depends on the rate of readings, as in
the browser.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import windows

from jamlab.audio.levels import dbfs_of
from jamlab.audio.pcm import SAMPLE_RATE, Block

FFT_FRAMES = 2048
"""The node's default ``fftSize``."""

SMOOTHING = 0.8
"""The node's default ``smoothingTimeConstant``."""


class Analyser:
    """The spectrum of the latest sound read.

    `fft_frames` is a power of two, `smoothing` the weight of the previous reading in each reading,
    0 to below 1; raises `ValueError` for other values.
    """

    def __init__(self, fft_frames: int = FFT_FRAMES, smoothing: float = SMOOTHING) -> None:
        if fft_frames < 32 or fft_frames & (fft_frames - 1) or not 0 <= smoothing < 1:
            raise ValueError(
                "an analyser needs fft_frames that is a power of two of at least 32, and "
                f"0 ≤ smoothing < 1, not {fft_frames} and {smoothing:g}"
            )
        self._smoothing = smoothing
        self._window = windows.general_cosine(fft_frames, [0.42, 0.5, 0.08], sym=False)
        self._last = np.zeros(fft_frames, dtype=np.float32)
        self._smoothed = np.zeros(fft_frames // 2)

    @property
    def frequencies_hz(self) -> NDArray[np.float64]:
        """Centre frequency of each bin."""
        bins = np.arange(len(self._smoothed), dtype=np.float64)
        return bins * (SAMPLE_RATE / len(self._last))

    def read(self, block: Block) -> NDArray[np.float64]:
        """Read a block of any length; return the spectrum at its end, shape ``(fft_frames / 2,)``.

        It is in dB, never below `SILENT_DBFS`; NaN and infinite samples count as silence.
        """
        frames = len(self._last)
        mono = np.nan_to_num(block[-frames:].mean(axis=1), nan=0.0, posinf=0.0, neginf=0.0)
        self._last = np.concatenate((self._last, mono.astype(np.float32)))[-frames:]
        magnitude = np.abs(fft.rfft(self._last * self._window)[:-1]) / frames
        self._smoothed = self._smoothing * self._smoothed + (1 - self._smoothing) * magnitude
        return dbfs_of(self._smoothed)
