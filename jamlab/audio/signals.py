"""Test signals with known levels, as sources for virtual cards.

`jamlab.measure.acceptance.sines.tone` is a steady sine, `jamlab.audio.metronome.Metronome` clicks.
"""

import numpy as np

from jamlab.audio.card import Source
from jamlab.audio.levels import amplitude_of
from jamlab.audio.pcm import CHANNELS, SAMPLE_RATE, Block

PINK_S = 8
"""Period of the noise; it repeats without a seam."""

_LOWEST_HZ, _HIGHEST_HZ = 20.0, 20_000.0


def pink_noise(level_dbfs: float, seed: int = 0) -> Source:
    """Return a source of pink noise: 20 Hz to 20 kHz, −3 dB per octave.

    The level is the RMS (AES17) of each of two independent channels over one period.
    """
    frames = PINK_S * SAMPLE_RATE
    frequencies_hz = np.fft.rfftfreq(frames, 1 / SAMPLE_RATE)
    audible = (frequencies_hz >= _LOWEST_HZ) & (frequencies_hz <= _HIGHEST_HZ)
    amplitudes = np.zeros(len(frequencies_hz))
    amplitudes[audible] = 1 / np.sqrt(frequencies_hz[audible])
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, (CHANNELS, len(frequencies_hz)))
    noise = np.fft.irfft(amplitudes * np.exp(1j * phases), frames).T
    rms = np.sqrt(2 * np.mean(np.square(noise), axis=0))
    return _repeated((noise * (amplitude_of(level_dbfs) / rms)).astype(np.float32))


def clipped(source: Source) -> Source:
    """Return a source that is clipped at full scale, as by a converter.

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
    """Return a source with one channel of another and silence in the other: 0 left, 1 right."""
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
