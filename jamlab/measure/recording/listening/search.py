"""Search for coded clicks whose voice, identity and time are all unknown.

Theory
------
*All identities at once.* Mixed down from the carrier, filtered with the chip's own spectrum and
sampled once a chip, a click of voice v is ``exp(2πi·((v + 1)·n³ + 89·k·n)/229)``. The product with
all 229 clicks of a voice is one matrix product for each time at which a click may begin. Times are
half a chip apart (4 frames), so at most 0.9 dB is lost between them.

*All voices at once.* The second difference of a cubic phase is linear: chip by chip, ``u(n) ·
u*(n−1)² · u(n−2)`` of the samples' phases u is a tone at ``6·(v + 1)/229`` cycles a chip, whatever
the identity. So `voices_heard` needs one short spectrum each quarter of a click. The products cost
sensitivity: it hears clicks that are 3 dB above all other sound in their band.

*Threshold.* The magnitude of the correlation coefficient of noise obeys ``r² ~ Beta(1, 228)``. At
`THRESHOLD` noise gives a hit of any of 32 voices once in an hour of sound that is searched. A hit
alone proves nothing: `chains` takes at least `LEAST_CLICKS` whose identities and times fit one
beat.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft

from jamlab.audio.metronome import (
    CARRIER_HZ,
    CHIP_FRAMES,
    CLICK_FRAMES,
    GUARD_CHIPS,
    IDENTITIES,
    VOICES,
    chip_spectrum,
    chips,
)
from jamlab.audio.pcm import SAMPLE_RATE

THRESHOLD = 0.33
"""Least correlation coefficient of a hit."""
LEAST_CLICKS = 4
"""Clicks that have to fit one beat."""
MOST_BEAT_S = 5.0
"""Longest beat that is recognised: 12 bpm."""

_LEAST_SHARE = 0.4  # of the clicks from the first of a chain to its last
_TOLERANCE = SAMPLE_RATE // 1000
_MOST_TRIED = 20  # the longest may have a false hit far away, and so too few for its span
_MOST_HITS = 160  # a chain takes time for every pair of them
_MOST_CODES = 4  # of 0.4 MB; few recordings have more voices, and one is made in 2 ms
_SAME_CLICK = 5 * SAMPLE_RATE // 2000
_STEP = CHIP_FRAMES // 2
_TONE = 0.3  # of the magnitude of a pure tone; noise exceeds it once in 100,000 times
_HOP = IDENTITIES // 4
_ROWS = 512  # as many as fit into the processor's cache
_COARSE = 256  # points of the FFT of the coarse look
_COARSE_THRESHOLD = 0.23
_SILENCE = 1e-5  # of the magnitude, below which the coefficient compares rounding errors
REACH_HZ = 3_750
"""Reach of a chip's spectrum from the carrier."""


class Hit(NamedTuple):
    """A place where a recording is similar to a click."""

    at: float
    """Frame at which the click begins."""
    identity: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Baseband:
    """A channel mixed down from the carrier and filtered by the chip's spectrum."""

    windows: NDArray[np.complex64]
    """The chips of a click that begins at each place, half a chip (4 frames) after another."""
    energy: NDArray[np.float32]
    """The greatest power of a product of each window with 229 chips."""

    @classmethod
    def of(cls, sound: NDArray[np.float32]) -> "Baseband":
        """Mix down a channel at 48 kHz."""
        return cls.of_samples(mixed_down(sound))

    @classmethod
    def of_samples(cls, samples: NDArray[np.complex64]) -> "Baseband":
        """Take a channel that is mixed down, two samples a chip."""
        if len(samples) < 2 * IDENTITIES - 1:
            return cls(np.zeros((0, IDENTITIES), np.complex64), np.zeros(0, np.float32))
        power = samples.real.astype(np.float64) ** 2 + samples.imag**2
        least = IDENTITIES * _SILENCE**2
        energy = [_running(power[phase::2]) for phase in (0, 1)]
        both = np.zeros(len(samples) - 2 * IDENTITIES + 2, np.float32)
        both[0::2], both[1::2] = energy[0][: len(both[0::2])], energy[1][: len(both[1::2])]
        windows = sliding_window_view(samples, 2 * IDENTITIES - 1)[:, ::2]
        return cls(windows, IDENTITIES * np.maximum(both, least))


def _running(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of 229 values in a row."""
    total = np.concatenate([[0.0], np.cumsum(power)])
    return np.asarray(total[IDENTITIES:] - total[:-IDENTITIES], np.float64)


class Chain(NamedTuple):
    """Hits of one voice that follow one another by one beat."""

    hits: Sequence[Hit]
    beat: float
    """Frames from click to click."""
    first: float
    """Frame of the click of the first hit, by the fit of all."""


@lru_cache(maxsize=_MOST_CODES)
def code_of(voice: int) -> NDArray[np.complex64]:
    """Return the conjugate chips of a voice, a column for each identity."""
    return np.ascontiguousarray(chips(voice).conj().T.astype(np.complex64))


def mixed_down(sound: NDArray[np.float32], *, matched: bool = True) -> NDArray[np.complex64]:
    """Return the baseband with two samples a chip; sample m is at frame 4·m.

    It is filtered by the chip's spectrum if it is `matched`.
    """
    unit = SAMPLE_RATE // np.gcd(SAMPLE_RATE, CARRIER_HZ) * 4
    frames = unit * fft.next_fast_len(-(-(len(sound) + CLICK_FRAMES) // unit), real=True)
    spectrum = fft.rfft(sound, frames)
    carrier, reach = frames * CARRIER_HZ // SAMPLE_RATE, frames * REACH_HZ // SAMPLE_RATE
    offsets = np.arange(-reach, reach + 1)
    mixed = np.zeros(frames // _STEP, np.complex64)
    shape = chip_spectrum(offsets * (SAMPLE_RATE / frames)).astype(np.float32)
    band = spectrum[carrier - reach : carrier + reach + 1]
    mixed[offsets] = band * shape if matched else band
    return np.asarray(fft.ifft(mixed)[: -(-len(sound) // _STEP)] / _STEP * 2, np.complex64)


def voices_heard(sound: NDArray[np.float32]) -> list[int]:
    """Return the voices whose clicks stand out in a channel at 48 kHz; a hint, and no proof."""
    samples = mixed_down(sound)
    strongest = np.zeros(VOICES)
    for phase in (0, 1):
        chip = samples[phase::2]
        size = np.abs(chip)
        unit = np.where(size > _SILENCE, chip / np.maximum(size, _SILENCE), 0)
        tone = unit[2:] * unit[1:-1].conj() ** 2 * unit[:-2]
        if len(tone) >= IDENTITIES:
            spectra = np.abs(sliding_window_view(tone, IDENTITIES)[::_HOP] @ _tones())
            strongest = np.maximum(strongest, spectra.max(axis=0) / IDENTITIES)
    return [int(voice) for voice in np.flatnonzero(strongest > _TONE)]


@lru_cache(maxsize=1)
def _tones() -> NDArray[np.complex64]:
    """Return the conjugate tone of each voice, a column each."""
    turns = np.outer(np.arange(IDENTITIES), 6 * (np.arange(VOICES) + 1)) / IDENTITIES
    return np.asarray(np.exp(-2j * np.pi * turns), np.complex64)


def hits_of(voice: int, base: Baseband, identities: Sequence[int] | None = None) -> list[Hit]:
    """Return the hits of a voice in the order of time.

    With `identities`, only these are sought. Of hits of one identity within 2.5 ms the strongest is
    kept.
    """
    columns = np.arange(IDENTITIES) if identities is None else np.array(identities, np.int64)
    code = np.ascontiguousarray(code_of(voice)[:, columns])
    places = _likely(base, None if identities is not None else code_of(voice)[:, 0], code)
    kept: list[Hit] = []
    for hit in sorted(_hits(base, code, places, columns), key=lambda hit: -hit.confidence):
        if not any(
            hit.identity == other.identity and abs(hit.at - other.at) < _SAME_CLICK
            for other in kept
        ):
            kept.append(hit)
    return sorted(kept[:_MOST_HITS])


def _likely(
    base: Baseband, cubic: NDArray[np.complex64] | None, code: NDArray[np.complex64]
) -> NDArray[np.int64]:
    """Return the places at which a click may begin, by a coarse look at all of them, once a chip.

    Few identities are sought by their `code`. All of them are sought with the `cubic` phases of the
    voice, by an FFT whose frequencies lie up to half a bin beside the identities; both together
    cost 3 dB on average and 7 dB at worst.
    """
    likely = np.zeros(len(base.energy) + 3, bool)
    for begin in range(0, len(base.energy), 2 * _ROWS):
        rows = slice(begin, begin + 2 * _ROWS, 2)
        if cubic is None:
            likeness = np.ascontiguousarray(base.windows[rows]) @ code
        else:
            likeness = fft.fft(base.windows[rows] * cubic, _COARSE, axis=1, overwrite_x=True)
        power = (likeness.real**2 + likeness.imag**2).max(axis=1, initial=0.0)
        found = begin + 2 * np.flatnonzero(power > _COARSE_THRESHOLD**2 * base.energy[rows])
        for shift in range(4):
            likely[found + shift] = True
    return np.flatnonzero(likely[1 : len(base.energy) + 1])


def _hits(
    base: Baseband,
    code: NDArray[np.complex64],
    places: NDArray[np.int64],
    identities: NDArray[np.int64],
) -> Iterator[Hit]:
    for begin in range(0, len(places), _ROWS):
        rows = places[begin : begin + _ROWS]
        likeness, energy = base.windows[rows] @ code, base.energy[rows]
        power = likeness.real**2 + likeness.imag**2
        for row, column in zip(
            *np.nonzero(power > THRESHOLD**2 * energy[:, np.newaxis]), strict=True
        ):
            confidence = float(np.sqrt(power[row, column] / energy[row]))
            at = int(rows[row]) * _STEP - GUARD_CHIPS * CHIP_FRAMES
            yield Hit(float(at), int(identities[column]), min(confidence, 1.0))


def chains(hits: Sequence[Hit]) -> list[Chain]:
    """Return the chains of one voice's hits, the longest first.

    In a chain, each hit's identity is that of its place in the beat, and at least `_LEAST_SHARE` of
    the clicks are there.
    """
    left, found = list(hits), []
    while (members := _longest(left)) is not None:
        found.append(_fitted([left[member] for member in members]))
        left = [hit for hit in left if not _belongs(hit, found[-1])]
    return found


def _longest(hits: Sequence[Hit]) -> NDArray[np.int64] | None:
    """Return the places of the hits of the longest chain, one hit for each click."""
    if len(hits) < LEAST_CLICKS:
        return None
    at = np.array([hit.at for hit in hits])
    identity = np.array([hit.identity for hit in hits])
    one, other = np.triu_indices(len(hits), 1)
    steps = (identity[other] - identity[one]) % IDENTITIES
    beats = (at[other] - at[one]) / np.maximum(steps, 1)
    fits = (steps > 0) & (beats >= CLICK_FRAMES) & (beats <= MOST_BEAT_S * SAMPLE_RATE)
    one, beats = one[fits], beats[fits]
    if not len(one):
        return None
    places = (at - at[one, np.newaxis]) / beats[:, np.newaxis]
    numbers = np.round(places)
    near = np.abs(places - numbers) * beats[:, np.newaxis] <= _TOLERANCE
    near &= (numbers - (identity - identity[one, np.newaxis])) % IDENTITIES == 0
    for best in np.argsort(-near.sum(axis=1), kind="stable")[:_MOST_TRIED]:
        members = np.flatnonzero(near[best])
        _, first = np.unique(numbers[best, members], return_index=True)
        members = members[first]
        span = np.ptp(numbers[best, members]) + 1
        if len(members) >= max(LEAST_CLICKS, _LEAST_SHARE * span):
            return members
    return None


def _fitted(hits: Sequence[Hit]) -> Chain:
    """Return the chain of hits of consecutive rounds of identities, by a least-squares fit."""
    at = np.array([hit.at for hit in hits])
    steps = np.diff([hit.identity for hit in hits]) % IDENTITIES
    numbers = np.concatenate([[0], np.cumsum(steps)])
    beat, first = np.polyfit(numbers, at, 1)
    return Chain(hits, float(beat), float(first))


def _belongs(hit: Hit, chain: Chain) -> bool:
    place = (hit.at - chain.first) / chain.beat
    step = round(place) - (hit.identity - chain.hits[0].identity)
    return step % IDENTITIES == 0 and abs(place - round(place)) * chain.beat <= 2 * _TOLERANCE
