"""Delays by windows of time: a long recording as a row per window and delay.

A click counts in the window in which it was sent. `Windows` follows the trains while they grow. It
gives a window away once no reading of it can change any more: the search reads back as far as the
block before the last one, and a click that was sent may come back up to `LONGEST_S` later. So a
window is complete 10 to 25 s after its end.

*Skew* is the slope of the delay over the last `SKEW_S` (Theil and Sen). It is known where its
confidence interval is narrower than `SKEW_KNOWN_PPM` to either side: a jump of the delay, or much
jitter, leaves it unknown.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jamlab.audio.metronome import CLICK_FRAMES, IDENTITIES
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.recording.delays import LEAST_CLICKS, LONGEST_S, Pair, has_jump, pairs
from jamlab.measure.recording.listening.listener import BLOCK_S, LEAST_READINGS
from jamlab.measure.recording.listening.train import Reading, Train
from jamlab.measure.recording.record import RecordingRecord

SKEW_S = 60.0
"""The span of the skew; windows that are longer have their own length."""
SKEW_KNOWN_PPM = 20.0
LEAST_EVERY_S = 1.0
"""The shortest window."""

COLUMNS = {
    "begin_s": "float64",
    "from": "object",
    "to": "object",
    "voice": "int64",
    "sent": "int64",
    "heard": "int64",
    "dropped": "int64",
    "median_ms": "float64",  # of the clicks that were heard, and so are the next three
    "p5_ms": "float64",
    "p95_ms": "float64",
    "jitter_ms": "float64",  # the 95th percentile above the least
    "skew_ppm": "float64",  # NaN where it is not known
    "level_db": "float64",  # of the later arrival relative to the earlier one
}
"""Columns of a log and their types."""

_LEAST_FITTED, _MOST_FITTED = 10, 400  # Theil-Sen takes time and memory for every pair of them


@dataclass(frozen=True, eq=False, slots=True)
class Window:
    """A part of a recording, and the delays in it."""

    begin_s: float
    end_s: float
    delays: pd.DataFrame
    """A row per delay that had clicks, with the columns `COLUMNS`."""


class _Clicks(NamedTuple):
    """Clicks that were sent, in order of time."""

    time_s: NDArray[np.float64]
    delay_ms: NDArray[np.float64]
    """Infinite for a click that was dropped."""
    level_db: NDArray[np.float64]
    """NaN for a click that was dropped."""


@dataclass(frozen=True, eq=False, slots=True)
class _Arrival:
    """A train with the channel that has it."""

    train: Train
    channel: int
    order: int

    @property
    def name(self) -> str:
        """Its name, as far as it is known while the recording goes on."""
        name = f"channel {self.channel}"
        return name if self.order == 1 else f"{name}, arrival {self.order}"


class Windows:
    """The windows of one recording, whose trains grow.

    Arrivals of a voice in one channel are counted in the order in which they were found. A delay
    has rows from the first click that came back; when nothing comes back any more all clicks are
    dropped, until another arrival in that channel takes the place of the one that was lost.
    """

    def __init__(self, channels: Sequence[Sequence[Train]], every_s: float) -> None:
        self._channels = channels
        self._every_s = every_s
        self._given = 0
        self._heard_s = 0.0
        self._arrivals: dict[Train, _Arrival] = {}
        self._directions: dict[tuple[Train, Train], bool] = {}

    def complete(self, heard_s: float) -> Iterator[Window]:
        """Yield the windows that are complete when so much of the recording was heard."""
        self._heard_s = heard_s
        lost = any(train.lost for trains in self._channels for train in trains)
        settled_s = heard_s - BLOCK_S - (LONGEST_S if lost else 0)
        while (self._given + 1) * self._every_s <= settled_s:
            yield self._next((self._given + 1) * self._every_s)

    def rest(self, heard_s: float) -> Iterator[Window]:
        """Yield the windows that are left at the end of the recording, the last one shorter."""
        self._heard_s = heard_s
        while self._given * self._every_s < heard_s:
            yield self._next(min((self._given + 1) * self._every_s, heard_s))

    def _next(self, end_s: float) -> Window:
        begin_s = self._given * self._every_s
        self._given += 1
        self._count_arrivals()
        rows = []
        for one, other in combinations(self._arrivals.values(), 2):
            if one.train.voice == other.train.voice and self._share(one, other, begin_s):
                ends = (one, other) if self._directions[one.train, other.train] else (other, one)
                clicks = self._clicks(*ends, _span_begin_s(end_s, self._every_s), end_s)
                row = _figures(clicks, begin_s)
                if row["sent"]:
                    names = {"from": ends[0].name, "to": ends[1].name, "voice": one.train.voice}
                    rows.append(row | names)
        return Window(begin_s, end_s, pd.DataFrame(rows, columns=[*COLUMNS]).astype(COLUMNS))

    def _count_arrivals(self) -> None:
        """Give a number to each train that counts by now, the earlier of two new ones first."""
        for channel, trains in enumerate(self._channels, 1):
            counted = [
                train
                for train in trains
                if train not in self._arrivals and len(train.readings) >= LEAST_READINGS
            ]
            latest = max((train.next for train in counted), default=0)
            for train in sorted(counted, key=lambda train: train.expected(latest)):
                self._arrivals[train] = _Arrival(train, channel, 1 + self._in(channel, train.voice))

    def _in(self, channel: int, voice: int) -> int:
        arrivals = self._arrivals.values()
        return sum(each.channel == channel and each.train.voice == voice for each in arrivals)

    def _share(self, one: _Arrival, other: _Arrival, begin_s: float) -> bool:
        """Return whether two arrivals have a delay; the first time find which is the earlier."""
        ends = one.train, other.train
        if ends not in self._directions:
            since = (begin_s - SKEW_S) * SAMPLE_RATE
            at = {each.number: each.at for each in _part(one.train, since, math.inf)}
            delays_s = [
                (each.at - at[each.number]) / SAMPLE_RATE
                for each in _part(other.train, since, math.inf)
                if each.number in at
            ]
            middle = float(np.median(delays_s)) if len(delays_s) >= LEAST_CLICKS else math.inf
            if abs(middle) > _longest_s(one.train):
                return False
            self._directions[ends] = middle >= 0
        return True

    def _clicks(self, source: _Arrival, to: _Arrival, begin_s: float, end_s: float) -> _Clicks:
        first = to.train.readings[0].number
        sent = [
            each
            for each in _part(source.train, begin_s * SAMPLE_RATE, end_s * SAMPLE_RATE)
            if each.number >= first and self._could_come(to, each.number)
        ]
        return _joined(sent, _numbered(to.train, sent), _longest_s(source.train))

    def _could_come(self, to: _Arrival, number: int) -> bool:
        """Return whether a click that is missing was dropped: it had the time and the place."""
        if number <= to.train.readings[-1].number:
            return True
        end = self._heard_s * SAMPLE_RATE - CLICK_FRAMES
        return to.train.expected(number) <= end and not self._is_replaced(to)

    def _is_replaced(self, arrival: _Arrival) -> bool:
        """Return whether another arrival of its voice in its channel began after it had ended."""
        last = arrival.train.readings[-1].at
        return any(
            each.train.readings[0].at > last
            for each in self._arrivals.values()
            if each.channel == arrival.channel and each.train.voice == arrival.train.voice
        )


def check_every(every_s: float) -> None:
    """Raise `PlanError` for a length that no window can have."""
    if not LEAST_EVERY_S <= every_s < math.inf:
        raise PlanError(f"every_s is {every_s:g}: choose {LEAST_EVERY_S:g} s or more")


def _longest_s(train: Train) -> float:
    return min(LONGEST_S, IDENTITIES * train.beat / SAMPLE_RATE / 2)


def _span_begin_s(end_s: float, every_s: float) -> float:
    return end_s - max(SKEW_S, every_s)


def _part(train: Train, begin: float, end: float) -> Sequence[Reading]:
    """Return the readings from one frame up to another one."""
    first, last = (bisect_left(train.readings, each, key=lambda it: it.at) for each in (begin, end))
    return train.readings[first:last]


def _numbered(train: Train, sent: Sequence[Reading]) -> dict[int, Reading]:
    """Return the readings of the clicks that were sent."""
    if not sent:
        return {}
    first, last = (
        bisect_left(train.readings, each, key=lambda it: it.number)
        for each in (sent[0].number, sent[-1].number + 1)
    )
    return {each.number: each for each in train.readings[first:last]}


def _joined(sent: Sequence[Reading], came: dict[int, Reading], longest_s: float) -> _Clicks:
    rows = np.full((len(sent), 3), np.nan)
    for row, each in zip(rows, sent, strict=True):
        back = came.get(each.number)
        row[0], row[1] = each.at / SAMPLE_RATE, math.inf
        if back is not None:
            row[1] = 1e3 * (back.at - each.at) / SAMPLE_RATE
            row[2] = back.level_dbfs - each.level_dbfs
    kept = rows[np.isinf(rows[:, 1]) | (np.abs(rows[:, 1]) <= 1e3 * longest_s)]
    return _Clicks(*kept.T)


def _figures(clicks: _Clicks, begin_s: float) -> dict[str, object]:
    """Return the figures of the clicks since a time; all of them are for the skew."""
    inside = clicks.time_s >= begin_s
    heard = np.isfinite(clicks.delay_ms)
    delays_ms = clicks.delay_ms[inside & heard]
    low, middle, high = (
        np.quantile(delays_ms, (0.05, 0.5, 0.95)) if len(delays_ms) else (math.nan,) * 3
    )
    return {
        "begin_s": begin_s,
        "sent": int(inside.sum()),
        "heard": len(delays_ms),
        "dropped": int((inside & ~heard).sum()),
        "median_ms": middle,
        "p5_ms": low,
        "p95_ms": high,
        "jitter_ms": high - delays_ms.min() if len(delays_ms) else math.nan,
        "skew_ppm": _skew_ppm(clicks.time_s[heard], clicks.delay_ms[heard]),
        "level_db": np.median(clicks.level_db[inside & heard]) if len(delays_ms) else math.nan,
    }


def _skew_ppm(time_s: NDArray[np.float64], delay_ms: NDArray[np.float64]) -> float:
    if len(time_s) < _LEAST_FITTED or has_jump(time_s, delay_ms):
        return math.nan
    every = math.ceil(len(time_s) / _MOST_FITTED)
    fit = stats.theilslopes(delay_ms[::every], time_s[::every])
    off = max(fit.high_slope - fit.slope, fit.slope - fit.low_slope)
    return 1e3 * float(fit.slope) if 1e3 * off <= SKEW_KNOWN_PPM else math.nan


def window_table(record: RecordingRecord, every_s: float) -> pd.DataFrame:
    """Return a row per window and pair of arrivals of a record.

    Columns: ``source``, ``to``, ``from_name``, ``to_name`` and ``voice`` as in `delay_table`, the
    others as in a log, without the level. Clicks count as dropped from the first that came back on.
    Raises `PlanError` for windows of less than a second.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from jamlab import analyse, example_take
    >>> with TemporaryDirectory() as folder:
    ...     record = analyse(example_take(Path(folder) / "take.wav"))
    >>> window_table(record, 10)[["begin_s", "sent", "dropped", "median_ms"]].round(2)
       begin_s  sent  dropped  median_ms
    0      0.0    20        1       27.5
    1     10.0    20        1       27.5
    2     20.0    20        0       27.5
    """
    check_every(every_s)
    rows = [
        _names(record, pair) | figures
        for pair in pairs(record)
        for figures in _figures_of(pair, every_s)
    ]
    return pd.DataFrame(rows, columns=[*_PAIR_COLUMNS]).astype(_PAIR_COLUMNS)


_PAIR_COLUMNS = {
    **{"source": "int64", "to": "int64", "from_name": "object", "to_name": "object"},
    **{name: kind for name, kind in COLUMNS.items() if name not in ("from", "to", "level_db")},
}


def _names(record: RecordingRecord, pair: Pair) -> dict[str, object]:
    return {
        "source": pair.source,
        "to": pair.to,
        "from_name": record.name(pair.source),
        "to_name": record.name(pair.to),
        "voice": pair.voice,
    }


def _figures_of(pair: Pair, every_s: float) -> Iterator[dict[str, object]]:
    """Yield the figures of each window in which clicks were sent."""
    times_s, delays_ms = pair.clicks["time_s"].to_numpy(np.float64), pair.delays_ms
    unknown = np.full(len(times_s), np.nan)
    for number in np.unique(np.floor(times_s / every_s)):
        begin_s, end_s = number * every_s, (number + 1) * every_s
        span = slice(*np.searchsorted(times_s, (_span_begin_s(end_s, every_s), end_s)))
        yield _figures(_Clicks(times_s[span], delays_ms[span], unknown[span]), begin_s)
