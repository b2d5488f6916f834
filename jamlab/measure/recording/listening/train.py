"""A train of clicks in one channel: each click is read where the last ones were.

A train is one arrival of a voice, e.g. the direct sound, or its return through a system. Its clock
follows it: the beat is the slope of arrival over number by Theil and Sen, the phase a median of the
last readings. A click is sought `REACH_S` before and after the expected time, but no further than
half-way to another train of the voice. That bears the steps of a playout buffer; a train that jumps
further is lost, and found again by the search.

Where other sound is louder than the clicks, those that are not found so are read in whitened sound
(`listening.faint_reading`), unless another train is there whose sidelobes might be
taken for them.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from jamlab.audio.levels import dbfs_of
from jamlab.audio.metronome import CLICK_FRAMES, IDENTITIES, VOICES, Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.clicks import MARGIN, band_limited, find_click
from jamlab.measure.recording.listening.faint_reading import CONTEXT, read_faint
from jamlab.measure.recording.listening.search import Chain

REACH_S = 0.06
LEAST_APART_S = 0.005
"""Arrivals that are nearer to each other are one: the first is read, the other is its echo."""
LOST_S = 4.0
"""A train without a reading for this long, and `_LOST_CLICKS` clicks, is lost."""

_LOST_CLICKS = 6
_EDGE = 200  # frames that the band's filter spoils at both ends of an excerpt
_RECENT = 5
_FITTED = 120
_FAINT_DB = 12.0
_NARROW = 5 * SAMPLE_RATE // 1000
_LIKE_DB, _LIKE_SHARE = 3.0, 0.7
_LOUDER_DB = 6.0
_FAINT_LEVELS_DB = 15.0  # to either side of the last ones: levels of faint clicks scatter


class Reading(NamedTuple):
    """One click that was heard."""

    number: int
    at: float
    """Frame of its first arrival."""
    confidence: float
    level_dbfs: float
    """Its peak, if it arrives as it was made."""


@dataclass(slots=True)
class Sound:
    """The last part of a channel at 48 kHz."""

    begin: int = 0
    """Frame of its first sample."""
    samples: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def end(self) -> int:
        """Frame after its last sample."""
        return self.begin + len(self.samples)

    def append(self, samples: NDArray[np.float32], keep: int) -> None:
        """Add samples, and drop all but the last `keep` of those before."""
        kept = self.samples[-keep:] if keep else self.samples[:0]
        self.begin = self.end - len(kept)
        self.samples = np.concatenate([kept, samples])

    def excerpt(self, begin: int, frames: int) -> NDArray[np.float32]:
        """Return a part, with silence beyond both ends."""
        excerpt = np.zeros(frames, np.float32)
        first, last = max(begin, self.begin), min(begin + frames, self.end)
        if first < last:
            part = self.samples[first - self.begin : last - self.begin]
            excerpt[first - begin : last - begin] = part
        return excerpt


def _level_while(excerpt: NDArray[np.float32], click: NDArray[np.float32]) -> float:
    """Return the peak level of a click that is as loud as the middle of an excerpt, in its band."""
    band = band_limited(excerpt)[CONTEXT:-CONTEXT]
    return float(dbfs_of(np.linalg.norm(band) / np.linalg.norm(click)))


@lru_cache(maxsize=VOICES)
def metronome_of(voice: int) -> Metronome:
    """Return a metronome with a voice's clicks at full scale."""
    return Metronome(voice=voice, level_dbfs=0.0)


class Train:
    """One arrival of a voice, click after click; begins with what the search found."""

    def __init__(self, voice: int, chain: Chain, number: int, *, faint: bool = False) -> None:
        self.voice = voice
        self.readings: list[Reading] = []
        self.resume(chain, number, faint=faint)

    def resume(self, chain: Chain, number: int, *, faint: bool = False) -> None:
        """Go on where the search found it again, far below other sound if it is faint."""
        self.lost = False
        self._begins_faint = faint
        self.beat = chain.beat
        self._anchor = (float(number), chain.first)
        self.next = number
        self._since: list[Reading] = []

    def begin_at(self, frame: int) -> None:
        """Begin to read with the first click that is expected after a frame."""
        last = self.readings[-1].number + 1 if self.readings else 0
        number, at = self._anchor
        self.next = max(last, 0, math.ceil(number + (frame - at) / self.beat))

    def expected(self, number: float) -> float:
        """Return the frame at which a click is expected."""
        anchored, at = self._anchor
        return at + (number - anchored) * self.beat

    @property
    def level_dbfs(self) -> float:
        """The level of its last readings; NaN before the first."""
        return median([each.level_dbfs for each in self._since[-_RECENT:]] or [math.nan])

    def read(self, sound: Sound, others: Iterable["Train"], *, ended: bool = False) -> None:
        """Read all clicks whose windows have been recorded; all that began, once it has ended.

        The others are all trains of the channel.
        """
        others = [train for train in others if train is not self and not train.lost]
        rivals = [train for train in others if train.voice == self.voice]
        while not self.lost:
            low, high = self._window(rivals)
            needed = low if ended else high + CLICK_FRAMES + CONTEXT
            if needed > sound.end:
                return
            self._read(sound, low, high, others)
            self.next += 1

    def _window(self, rivals: Iterable["Train"]) -> tuple[int, int]:
        at = self.expected(self.next)
        low, high = at - REACH_S * SAMPLE_RATE, at + REACH_S * SAMPLE_RATE
        for rival in rivals:
            middle = (at + rival.expected(self.next)) / 2
            low, high = (max(low, middle), high) if middle < at else (low, min(high, middle))
        return round(low), round(high)

    def _read(self, sound: Sound, low: int, high: int, others: Sequence["Train"]) -> None:
        found = self._near(sound, low, high) or self._find(sound, low, high)
        if found is None and not any(map(self._is_outdone, others)):
            found = self._below_other_sound(sound)
        if found is None:
            silent_s = (self.expected(self.next) - self._last_at) / SAMPLE_RATE
            self.lost = silent_s > LOST_S and self.next - self._last_number >= _LOST_CLICKS
            return
        self.readings.append(found)
        self._since.append(found)
        self._fit()

    def _near(self, sound: Sound, low: int, high: int) -> Reading | None:
        """Read a click in a narrow window, which takes less time, if it is as the last ones were.

        What differs in strength may be an echo that lies where the click was before.
        """
        recent = self._since[-_RECENT:]
        if len(recent) < _RECENT:
            return None
        at = self.expected(self.next)
        low, high = max(low, round(at - _NARROW)), min(high, round(at + _NARROW))
        found = self._find(sound, low, high) if low < high else None
        if found is None:
            return None
        level = median(each.level_dbfs for each in recent)
        confidence = median(each.confidence for each in recent)
        like = abs(found.level_dbfs - level) < _LIKE_DB
        return found if like and found.confidence > _LIKE_SHARE * confidence else None

    def _find(self, sound: Sound, low: int, high: int) -> Reading | None:
        begin = low - MARGIN - _EDGE
        frames = high - low + 2 * (MARGIN + _EDGE) + CLICK_FRAMES
        band = band_limited(sound.excerpt(begin, frames))[_EDGE:-_EDGE]
        found = find_click(band, metronome_of(self.voice).click(self.next))
        level = float(dbfs_of(found.amplitude))
        if math.isnan(found.lag) or self._is_faint(level):
            return None
        return Reading(self.next, low + found.lag, found.confidence, level)

    def _is_outdone(self, other: "Train") -> bool:
        """Return whether sidelobes of another train may be taken for a faint click of this one."""
        if not (self._since or self._begins_faint):
            return True
        return other.level_dbfs > self.level_dbfs + _LOUDER_DB

    def _below_other_sound(self, sound: Sound) -> Reading | None:
        """Read a click where other sound is louder than it."""
        at = round(self.expected(self.next))
        excerpt = sound.excerpt(at - CONTEXT, CLICK_FRAMES + 2 * CONTEXT)
        click = metronome_of(self.voice).click(self.next)
        usual, level = self.level_dbfs, _level_while(excerpt, click)
        if level < usual:
            return None  # it would have been found, if it were there
        found = read_faint(excerpt, self.voice, self.next, click)
        if found is None:
            return None
        level = float(dbfs_of(found.amplitude))
        if abs(level - usual) > _FAINT_LEVELS_DB:
            return None
        return Reading(self.next, at + found.off, found.confidence, level)

    def _is_faint(self, level_dbfs: float) -> bool:
        """Return whether a click is far weaker than the last ones, as an echo of another train."""
        recent = [each.level_dbfs for each in self._since[-_RECENT:]]
        return len(recent) == _RECENT and level_dbfs < median(recent) - _FAINT_DB

    @property
    def _last_at(self) -> float:
        return self._since[-1].at if self._since else self._anchor[1]

    @property
    def _last_number(self) -> float:
        return self._since[-1].number if self._since else self._anchor[0]

    def _fit(self) -> None:
        """Follow the readings since the train was found, the last ones for the phase."""
        recent = self._since[-_FITTED:]
        rarely = _RECENT if len(self._since) < 6 * _RECENT else 4 * _RECENT
        if len(recent) > _RECENT and len(self._since) % rarely == 0:
            fit = stats.theilslopes([each.at for each in recent], [each.number for each in recent])
            self.beat = float(fit.slope)
        last = self._since[-1].number
        phases = [each.at + (last - each.number) * self.beat for each in recent[-_RECENT:]]
        self._anchor = (float(last), median(phases))

    def has(self, number: int, at: float) -> bool:
        """Return whether a click near a frame is one of its readings, or an echo right after."""
        apart = LEAST_APART_S * SAMPLE_RATE
        for reading in reversed(self.readings):
            if reading.at < at - SAMPLE_RATE:
                return False
            if (reading.number - number) % IDENTITIES == 0 and abs(reading.at - at) < apart:
                return True
        return False
