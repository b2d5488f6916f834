"""Test signals for level meters, as sources: what each of them has to read is known beforehand.

A steady sine is `jamlab.measure.acceptance.sines.tone`, and clicks are
`jamlab.audio.metronome.Metronome`.
"""

import numpy as np
from scipy import fft

from jamlab.audio.card import Source
from jamlab.audio.levels import amplitude_of
from jamlab.audio.pcm import CHANNELS, SAMPLE_RATE, Block

PINK_S = 8
"""Length of the noise, after which it begins anew without a seam."""

_LOWEST_HZ, _HIGHEST_HZ = 20.0, 20_000.0


def pink_noise(level_dbfs: float, seed: int = 0) -> Source:
    """Return a source of pink noise: its power falls by 3 dB per octave, 20 Hz to 20 kHz.

    Parameters
    ----------
    level_dbfs : float
        RMS of each channel over the noise's whole length (AES17).
    seed : int
        The two channels of a seed are always the same, and independent of each other.
    """
    frames = PINK_S * SAMPLE_RATE
    frequencies_hz = fft.rfftfreq(frames, 1 / SAMPLE_RATE)
    audible = (frequencies_hz >= _LOWEST_HZ) & (frequencies_hz <= _HIGHEST_HZ)
    amplitudes = np.zeros(len(frequencies_hz))
    amplitudes[audible] = 1 / np.sqrt(frequencies_hz[audible])
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, (CHANNELS, len(frequencies_hz)))
    noise = fft.irfft(amplitudes * np.exp(1j * phases), frames).T
    rms = np.sqrt(2 * np.mean(np.square(noise), axis=0))
    return _repeated((noise * (amplitude_of(level_dbfs) / rms)).astype(np.float32))


def clipped(source: Source) -> Source:
    """Return a source that is cut off at full scale, as a converter does it.

    Examples
    --------
    >>> from jamlab import tone
    >>> float(clipped(tone((440.0, 440.0), 6.0))(0, 480).max())
    1.0
    """

    def cut(start: int, frames: int) -> Block:
        return source(start, frames).clip(-1, 1)

    return cut


def one_side(source: Source, channel: int) -> Source:
    """Return a source with one channel of another's: 0 is left, 1 is right."""
    kept = np.eye(CHANNELS, dtype=np.float32)[channel]

    def play(start: int, frames: int) -> Block:
        sided: Block = source(start, frames) * kept
        return sided

    return play


def _repeated(sound: Block) -> Source:
    def source(start: int, frames: int) -> Block:
        places = np.arange(start, start + frames) % len(sound)
        stretch: Block = sound[places]
        return stretch

    return source
