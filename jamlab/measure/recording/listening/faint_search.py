"""Search for clicks that are too far below other sound to be hits of their own.

Theory
------
*Faint hits.* The *power* of a place and an identity is 229·r², r the correlation coefficient in
whitened sound. Noise obeys ``exp(-power)``; a click 20 dB below white noise, 15 dB in its band, has
a mean of 8. A search of 20 seconds for one voice tries 10⁷ of them, so thousands of noise exceed
`LEAST_POWER`, and a click does so every second time.

*Lines.* Any two hits whose identities are a few apart give a beat, and so place and identity of
every other click. The lines with most hits are proved by all of their clicks, the weak ones, too:
the sum of the powers of the right identities has to exceed the sums of the 228 wrong ones at the
same places by `_PROOF` of their standard deviations. Music that resembles clicks raises them all.

*Chance.* A hit adds about 8 to a sum whose standard deviation is 7, so noise needs nine hits of
its own on the best of 10⁵ lines. A line of 40 clicks has 0.2 by chance, nine of them with
probability 10⁻¹² (Poisson): 10⁻⁷ for a search. A strong click of another line has sidelobes of up
to 0.058 of its power, hence `_GHOST`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from jamlab.audio.metronome import CHIP_FRAMES, GUARD_CHIPS, IDENTITIES, IDENTITY_STEP
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.recording.listening.search import Baseband, Chain, Hit, code_of
from jamlab.measure.recording.listening.whitening import STEP

LEAST_POWER = 8.0
"""Least power of a faint hit; the mean of noise is 1, that of a clean click 229."""
SHORTEST_BEAT_S, LONGEST_BEAT_S = 0.2, 2.0
"""Beats of faint clicks: 300 to 30 bpm."""
LEAST_FAINT = 5
"""Faint hits that have to fit one beat."""

CERTAIN = 16.0
"""Mean power that no sidelobe of another voice has."""
USUAL_VOICES = 4
"""Voices from 0 that are sought most thoroughly; the others at every second place, which costs up
to 4 dB, and in fewer hits."""

Allowed = Callable[[NDArray[np.int64], NDArray[np.float64]], NDArray[np.bool_]]
"""Tells of identities and frames which ones may be clicks, where a voice is known."""

_POINTS = 384  # of the FFT over the chips: at most 1.3 dB is lost between its frequencies
_ROWS = 128
_SAME = 20  # places, 1.7 ms
_MOST_HITS = {1: 4_000, 2: 1_500}  # by the stride of places
_STEPS = range(1, 5)  # identities from hit to hit that give a beat
_BIN = SAMPLE_RATE // 1000
_REACH = 2  # bins to either side
_LINES = 24
_PROOF = 10.0
_CAP = 40.0  # a single click proves no line, however strong
_NEAR = 6  # places round the expected one
_GHOST = 0.1
_PREAMBLE = GUARD_CHIPS * CHIP_FRAMES


@dataclass(frozen=True, slots=True)
class Line:
    """Clicks of one voice along one beat, strong and weak."""

    voice: int
    chain: Chain
    power: float
    """The mean power of its clicks."""


@dataclass(frozen=True, slots=True)
class _Hits:
    """Faint hits in the order of identities, then times."""

    place: NDArray[np.int64]
    identity: NDArray[np.int64]
    power: NDArray[np.float64]

    def only(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> "_Hits":
        return _Hits(self.place[kept], self.identity[kept], self.power[kept])


def lines(
    voices: Sequence[int], samples: NDArray[np.complex64], allowed: Mapping[int, Allowed]
) -> list[Line]:
    """Return the lines of voices in whitened samples, the strongest first.

    A voice in `allowed` is sought among these identities and frames only.
    """
    base, found = Baseband.of_samples(samples), list[Line]()
    for voice in voices:
        found += _of_voice(voice, base, allowed.get(voice))
    found.sort(key=lambda line: -line.power)
    return [line for line in found if line.power > 2 + _GHOST * found[0].power]


def _of_voice(voice: int, base: Baseband, allowed: Allowed | None) -> list[Line]:
    stride = 1 if voice < USUAL_VOICES or allowed is not None else 2
    left, found = _hits(voice, base, stride), list[Line]()
    if allowed is not None:
        left = left.only(allowed(left.identity, _frame(left.place)))
    left = left.only(np.sort(np.argsort(-left.power, kind="stable")[: _MOST_HITS[stride]]))
    while (line := _best(voice, base, left)) is not None:
        found.append(line)
        left = left.only(~_on(line.chain, left))
    return found


def _frame(place: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the frame at which a click begins whose first chip is at a place."""
    return np.asarray(place * STEP - _PREAMBLE, np.float64)


def _hits(voice: int, base: Baseband, stride: int) -> _Hits:
    """Return the places and identities whose power is high, the highest of each neighbourhood."""
    cubic = np.ascontiguousarray(code_of(voice)[:, 0])
    begins = range(0, max(1, len(base.energy)), stride * _ROWS)
    parts = zip(*(_hits_in(base, cubic, begin, stride) for begin in begins), strict=True)
    place, point, power = map(np.concatenate, parts)
    return _thinned(_Hits(place, _nearest_identity()[point], power))


def _hits_in(
    base: Baseband, cubic: NDArray[np.complex64], begin: int, stride: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    rows = slice(begin, begin + stride * _ROWS, stride)
    likeness = fft.fft(base.windows[rows] * cubic, _POINTS, axis=1, overwrite_x=True)
    power = likeness.real**2 + likeness.imag**2
    least = base.energy[rows, np.newaxis] * np.float32(LEAST_POWER / IDENTITIES)
    row, point = np.divmod(np.flatnonzero(power > least), _POINTS)
    share = power[row, point] / base.energy[rows][row]
    return begin + stride * row, point, IDENTITIES * share.astype(np.float64)


def _nearest_identity() -> NDArray[np.int64]:
    """Return the identity whose frequency is nearest to each point of the FFT."""
    turns = np.round(np.arange(_POINTS) * IDENTITIES / _POINTS).astype(np.int64)
    return np.asarray(turns * pow(IDENTITY_STEP, -1, IDENTITIES) % IDENTITIES, np.int64)


def _thinned(hits: _Hits) -> _Hits:
    """Return the strongest of hits of one identity that follow each other closely."""
    hits = hits.only(np.lexsort((hits.place, hits.identity)))
    apart = (np.diff(hits.identity) != 0) | (np.diff(hits.place) > _SAME)
    group = np.concatenate([[0], np.cumsum(apart)]) if len(hits.place) else np.zeros(0, np.int64)
    order = np.lexsort((-hits.power, group))
    _, first = np.unique(group[order], return_index=True)
    return hits.only(order[first])


def _best(voice: int, base: Baseband, hits: _Hits) -> Line | None:
    """Return the strongest proved line through hits."""
    proved = [*_proved(voice, base, hits)]
    return max(proved, key=lambda line: line.power * len(line.chain.hits), default=None)


def _proved(voice: int, base: Baseband, hits: _Hits) -> Iterator[Line]:
    one, beat = _pairs(hits)
    support = _support(hits, one, beat)
    for best in np.argsort(-support, kind="stable")[:_LINES]:
        if support[best] >= LEAST_FAINT:
            begin = Chain(
                [_hit(hits, one[best])], float(beat[best]), float(_frame(hits.place[one[best]]))
            )
            fitted = _fitted(begin, hits)
            if fitted is not None and (line := _proof(voice, base, fitted)) is not None:
                yield line


def _hit(hits: _Hits, index: int) -> Hit:
    at, power = float(_frame(hits.place[index])), float(hits.power[index])
    return Hit(at, int(hits.identity[index]), min(1.0, (power / IDENTITIES) ** 0.5))


def _pairs(hits: _Hits) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return every hit with every one that may be a few clicks later, as a hit and a beat."""
    turn = 1 << 32
    key, every = hits.identity * turn + hits.place, np.arange(len(hits.place))
    ones, beats = [np.zeros(0, np.int64)], [np.zeros(0)]
    for step in _STEPS:
        wanted = (hits.identity + step) % IDENTITIES * turn + hits.place
        first = np.searchsorted(key, wanted + round(step * SHORTEST_BEAT_S * SAMPLE_RATE / STEP))
        last = np.searchsorted(key, wanted + round(step * LONGEST_BEAT_S * SAMPLE_RATE / STEP))
        count = last - first
        one = np.repeat(every, count)
        other = np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count) + first[one]
        ones.append(one)
        beats.append((hits.place[other] - hits.place[one]) * STEP / step)
    return np.concatenate(ones), np.concatenate(beats)


def _support(hits: _Hits, one: NDArray[np.int64], beat: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many clicks along each beat have a hit near by."""
    support = np.zeros(len(one), np.int64)
    if not len(one):
        return support
    at = hits.place * STEP
    bins = int(at.max()) // _BIN + 1
    near = np.zeros((IDENTITIES, bins), bool)
    for shift in range(-_REACH, _REACH + 1):
        near[hits.identity, np.clip(at // _BIN + shift, 0, bins - 1)] = True
    most = int(at.max() / beat.min()) + 1
    for step in range(-most, most + 1):
        there = at[one] + step * beat
        inside = np.flatnonzero((there >= 0) & (there < bins * _BIN))
        identity = (hits.identity[one[inside]] + step) % IDENTITIES
        support[inside] += near[identity, (there[inside] // _BIN).astype(np.int64)]
    return support


def _on(chain: Chain, hits: _Hits) -> NDArray[np.bool_]:
    """Return which hits belong to a chain."""
    place = (_frame(hits.place) - chain.first) / chain.beat
    number = np.round(place)
    same = (number - hits.identity + chain.hits[0].identity) % IDENTITIES == 0
    return np.asarray(same & (np.abs(place - number) * chain.beat <= _REACH * _BIN))


def _fitted(chain: Chain, hits: _Hits) -> Chain | None:
    """Return a chain that is fitted to the hits that belong to it, without outliers."""
    members = hits.only(np.flatnonzero(_on(chain, hits)))
    members = members.only(np.argsort(members.place))
    at = _frame(members.place)
    number = np.round((at - chain.first) / chain.beat)
    for most in (_BIN, _BIN / 3):
        if len({*number}) < LEAST_FAINT:
            return None
        beat, first = np.polyfit(number, at, 1)
        close = np.abs(at - first - beat * number) <= most
        members, at, number = members.only(close), at[close], number[close]
    if len({*number}) < LEAST_FAINT or beat < SHORTEST_BEAT_S * SAMPLE_RATE / 2:
        return None
    kept = [_hit(members, index) for index in range(len(at))]
    return Chain(kept, float(beat), float(first + beat * number[0]))


def _proof(voice: int, base: Baseband, chain: Chain) -> Line | None:
    """Return a chain as a line if the clicks along it stand out of all other identities."""
    length = len(base.energy)
    start = int((chain.first + _PREAMBLE - _NEAR * STEP) / chain.beat)
    count = int((length * STEP - chain.first - _PREAMBLE - _NEAR * STEP) / chain.beat)
    steps = np.arange(-start, count + 1)
    middle = np.round((chain.first + _PREAMBLE + steps * chain.beat) / STEP).astype(np.int64)
    steps, middle = (
        each[(middle >= _NEAR) & (middle < length - _NEAR)] for each in (steps, middle)
    )
    rows = middle[:, np.newaxis] + np.arange(-_NEAR, _NEAR + 1)
    likeness = base.windows[rows.ravel()] @ code_of(voice)
    power = (likeness.real**2 + likeness.imag**2) / base.energy[rows.ravel(), np.newaxis]
    highest = IDENTITIES * power.reshape(*rows.shape, IDENTITIES).max(axis=1)
    turned = (chain.hits[0].identity + steps[:, np.newaxis] + np.arange(IDENTITIES)) % IDENTITIES
    aligned = np.take_along_axis(highest, turned, axis=1)
    score = np.minimum(aligned, _CAP).sum(axis=0)
    stands_out = score[0] - score[1:].mean() > _PROOF * score[1:].std()
    if not stands_out or score[0] <= score[1:].max():
        return None
    return Line(voice, chain, float(aligned[:, 0].mean()))
