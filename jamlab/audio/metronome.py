"""Metronome of coded clicks: each click carries its own number and its participant's.

Theory
------
Each click is a *phase-coded burst*: 229 chips of constant magnitude, 6000 chips a second, shaped by
a root-raised cosine (roll-off 0.25) around 4.8 kHz. It occupies 1.05–8.55 kHz for 39.5 ms, and
fades in and out over 2 ms. A spike would not do: Opus smears it over a whole frame, while a burst
keeps its phase. Correlation with a copy gains the time-bandwidth product over noise in the band,
10·lg 229 ≈ 24 dB, and compresses the click into a peak about 0.15 ms wide.

The identity is in the phases, which codecs, gains and equalisers preserve. Chip ``n`` of click
``k`` of voice ``v`` has the phase ``2π·((v + 1)·n³ + 89·k·n)/229``. The number of chips is a prime
above 3, so two clicks of a voice correlate to at most ``1/√229`` (0.066) at any cyclic shift
(Alltop, 1980), and clicks of two voices to ``2/√229`` (0.13), by Weil's bound on exponential sums.
Real bursts overlap partly, not cyclically: their highest measured coefficient is 0.24, and 0.20
with a steady tone. Random phases give a third more, too near the detection threshold. The sidelobes
of a click turn by ``89·n/229`` cycles from click to click, n chips away (89/229 is near the golden
section), so that the error an echo adds to one reading it takes from the next.

Identities repeat after 229 clicks of a voice, 57 s at 240 bpm.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.pcm import SAMPLE_RATE, Block, silence

IDENTITIES = 229
"""Clicks of a voice before an identity returns; also the chips in a click (a prime above 3)."""

VOICES = 32
"""Number of participants whose clicks can be distinguished."""

CARRIER_HZ = 4_800

CLICK_BAND_HZ = (1_050.0, 8_550.0)

IDENTITY_STEP = 89
"""Step of the phase from one click to the next, in turns / `IDENTITIES` for each chip."""

CHIP_FRAMES = 8

GUARD_CHIPS = 4
"""Chips of space at both ends of a click, for the tails of its own."""

_ROLL_OFF = 0.25
_FADE_FRAMES = 96

CLICK_FRAMES = (IDENTITIES + 2 * GUARD_CHIPS) * CHIP_FRAMES
"""Length of a click: 1896 frames, 39.5 ms."""


def chips(voice: int) -> NDArray[np.complex128]:
    """Return the chips of every identity, shape ``(IDENTITIES, IDENTITIES)``."""
    chip = np.arange(IDENTITIES)
    identity = chip[:, np.newaxis]
    turns = ((voice + 1) * chip**3 + IDENTITY_STEP * identity * chip) % IDENTITIES / IDENTITIES
    return np.asarray(np.exp(2j * np.pi * turns), dtype=np.complex128)


def chip_spectrum(offset_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the root-raised-cosine spectrum of one chip, at frequencies from the carrier."""
    rate_hz = SAMPLE_RATE / CHIP_FRAMES
    edge_hz = (1 - _ROLL_OFF) * rate_hz / 2
    descent = np.clip((np.abs(offset_hz) - edge_hz) / (_ROLL_OFF * rate_hz), 0, 1)
    return np.asarray(np.cos(np.pi / 2 * descent), dtype=np.float64)


def _fade() -> NDArray[np.float64]:
    """Return the envelope that fades a click in and out."""
    rise = np.sin(np.pi / 2 * (np.arange(_FADE_FRAMES) + 0.5) / _FADE_FRAMES) ** 2
    return np.concatenate([rise, np.ones(CLICK_FRAMES - 2 * _FADE_FRAMES), rise[::-1]])


def _check_index(index: int) -> None:
    if index < 0:
        raise ValueError(f"click index is {index}: clicks are numbered from 0")


@lru_cache(maxsize=VOICES)
def _codebook(voice: int) -> NDArray[np.float64]:
    """Return a voice's clicks with full-scale peaks, shape ``(IDENTITIES, CLICK_FRAMES)``."""
    train = np.zeros((IDENTITIES, CLICK_FRAMES), dtype=np.complex128)
    guard = GUARD_CHIPS * CHIP_FRAMES
    train[:, guard:-guard:CHIP_FRAMES] = chips(voice)
    offset_hz = np.asarray(np.fft.fftfreq(CLICK_FRAMES, 1 / SAMPLE_RATE), np.float64)
    spectrum = chip_spectrum(offset_hz)
    envelope = np.fft.ifft(np.fft.fft(train) * spectrum)
    carrier = np.exp(2j * np.pi * CARRIER_HZ / SAMPLE_RATE * np.arange(CLICK_FRAMES))
    clicks = (envelope * carrier).real * _fade()
    clicks /= np.abs(clicks).max(axis=1, keepdims=True)
    return np.asarray(clicks, dtype=np.float64)


@dataclass(frozen=True)
class Metronome:
    """An endless track of coded clicks, numbered from 0.

    Parameters
    ----------
    voice : int
        Number of the participant, below `VOICES`. Clicks of two voices always differ.
    level_dbfs : float
        Peak of every click.
    first_s : float
        Onset of click 0, seconds from frame 0; rounded to a frame.

    Raises
    ------
    ValueError
        When the tempo is too fast for the click's length, or a value is out of range.

    Notes
    -----
    Each onset is rounded on its own from the exact (rational) tempo, so it is within half a frame
    of its exact place, and rounding errors do not add up.

    References
    ----------
    W. O. Alltop, "Complex sequences with low periodic correlations", IEEE Trans. Inf. Theory 26(3),
    1980.

    Examples
    --------
    >>> metronome = Metronome(bpm=120)
    >>> [metronome.onset(click) for click in range(3)]
    [12000, 36000, 60000]
    >>> metronome.block(0, 64).shape
    (64, 2)
    """

    bpm: float = 240.0
    voice: int = 0
    level_dbfs: float = -12.0
    first_s: float = 0.25

    def __post_init__(self) -> None:
        fastest = 60 * SAMPLE_RATE / CLICK_FRAMES
        if not 0 < self.bpm <= fastest:
            raise ValueError(
                f"Metronome bpm is {self.bpm}: choose above 0 and up to {int(fastest)}, "
                f"because a click lasts {1000 * CLICK_FRAMES / SAMPLE_RATE} ms"
            )
        if self.voice not in range(VOICES):
            raise ValueError(f"Metronome voice is {self.voice}: choose 0 to {VOICES - 1}")
        if not -math.inf < self.level_dbfs <= 0:
            raise ValueError(f"Metronome level_dbfs is {self.level_dbfs}: choose 0 dBFS or less")
        if not 0 <= self.first_s < math.inf:
            raise ValueError(f"Metronome first_s is {self.first_s}: choose 0 seconds or more")
        self.click(0)  # computes the waveforms now, not in the card's callback

    @cached_property
    def _waveforms(self) -> NDArray[np.float32]:
        return (10 ** (self.level_dbfs / 20) * _codebook(self.voice)).astype(np.float32)

    @cached_property
    def _beat(self) -> tuple[int, int]:
        """Numerator and denominator of the exact length of a beat in frames."""
        return (60 * SAMPLE_RATE / Fraction(self.bpm)).as_integer_ratio()

    @cached_property
    def _first(self) -> int:
        return round(self.first_s * SAMPLE_RATE)

    def onset(self, index: int) -> int:
        """Return the frame at which a click begins; raises `ValueError` below click 0."""
        _check_index(index)
        numerator, denominator = self._beat
        return self._first + (2 * index * numerator + denominator) // (2 * denominator)

    def click(self, index: int) -> NDArray[np.float32]:
        """Return a click, mono, shape ``(CLICK_FRAMES,)``; raises `ValueError` below click 0."""
        _check_index(index)
        return np.array(self._waveforms[index % IDENTITIES])

    def clicks_between(self, start: int, stop: int) -> range:
        """Return the indices of the clicks with an onset in ``[start, stop)``, in frames."""
        return range(self._first_from(start), self._first_from(stop))

    def _first_from(self, position: int) -> int:
        """Return the first click at or after a frame position: `onset`, inverted exactly."""
        numerator, denominator = self._beat
        doubled = denominator * (2 * (position - self._first) - 1)
        return max(0, -(-doubled // (2 * numerator)))

    def block(self, start: int, frames: int) -> Block:
        """Return a section of the track, equal on both channels; a `jamlab.audio.card.Source`.

        It is fast enough for an audio callback, and silent before click 0 and at negative frames.
        """
        block = silence(frames)
        for index in self.clicks_between(start - CLICK_FRAMES + 1, start + frames):
            at = self.onset(index) - start
            begin, end = max(at, 0), min(at + CLICK_FRAMES, frames)
            click = self._waveforms[index % IDENTITIES, begin - at : end - at]
            block[begin:end] = click[:, np.newaxis]
        return block
