"""Delays between any two arrivals of a voice, click by click.

Two clicks are the same when they have one number. Within a file there is one clock, and the delay
is the difference of two times. The clocks of two files are compared by a voice that both heard: a
line through the times of its clicks (Theil and Sen) gives offset and skew, and both are removed.
The first arrival of that voice then has, by definition, no delay from one file to the other; of
several voices, the one is taken whose clicks lie nearest to the line.

A click that one arrival has, and that is missing in the other after its first, was dropped: its
delay is infinite. Within a file that holds to the end of the recording, or until another arrival in
the channel takes the place of the one that ended; of two files, to the last click that was heard.
Arrivals more than `LONGEST_S` apart have no delay, nor have those that share less than half of
their clicks: a player that begins its file again plays the same numbers again.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jamlab.audio.metronome import IDENTITIES
from jamlab.measure.recording.record import RecordingRecord
from jamlab.measure.statistics import jitter, median, p95, resampling

LEAST_CLICKS = 3
"""Clicks that two arrivals have to share."""
LONGEST_S = 5.0
"""The longest delay; two arrivals that are further apart are two playings of one file."""

_PLACE = ("file", "channel", "voice")
_LEAST_SHARE = 0.5
_ARRIVING_S = 0.1  # a click that began so long before the end is heard whole
_SKEW_KNOWN_PPM, _SKEW_KNOWN_SHARE = 20.0, 0.1
_BESIDE = 5  # clicks to either side of a jump
_MOST_JUMPS = 20  # that are looked at, the largest steps first
_JUMP_MS, _JUMP_SPREADS = 0.1, 2.0
_MOST_PPM = 1000.0
_ONE_TEMPO = 1e-3
_MOST_FITTED = 1000  # Theil-Sen takes time and memory for every pair of them


@dataclass(frozen=True, slots=True)
class Alignment:
    """A file's clock against that of the first file."""

    file: int
    voice: int
    """The voice that both heard."""
    arrivals: tuple[int, int]
    """Its arrivals in the first file and in this one, whose delay counts as none."""
    offset_s: float
    skew_ppm: float
    """Positive when the file's clock counts more seconds than that of the first."""
    spread_ms: float
    """95th percentile of the distance from the line: what the alignment may be off."""

    def to_first(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return times of the file by the first file's clock."""
        return (time_s - self.offset_s) / (1 + self.skew_ppm / 1e6)


@dataclass(frozen=True, eq=False, slots=True)
class Pair:
    """The delays from one arrival to a later one of the same voice."""

    source: int
    to: int
    voice: int
    clicks: pd.DataFrame
    """Columns ``click``, ``time_s`` (in the source) and ``delay_ms``, infinite for a drop."""

    @property
    def delays_ms(self) -> NDArray[np.float64]:
        """The delays in order of time."""
        return self.clicks["delay_ms"].to_numpy(np.float64)

    @property
    def skew_ppm(self) -> float:
        """The growth of the delay over time; NaN where it is not steady, or not known.

        Both halves have to say the same, to 20 ppm or a tenth, without a jump, which is no
        difference of clocks.
        """
        heard = self.clicks[np.isfinite(self.clicks["delay_ms"])]
        x, y = heard["time_s"].to_numpy(), heard["delay_ms"].to_numpy()
        if has_jump(x, y):
            return math.nan
        whole, middle = 1e3 * _line(x, y)[0], len(x) // 2
        halves = [1e3 * _line(x[part], y[part])[0] for part in (slice(middle), slice(middle, None))]
        most = max(_SKEW_KNOWN_PPM, _SKEW_KNOWN_SHARE * abs(whole))
        figures = (whole, *halves)
        return math.nan if max(figures) - min(figures) > most else whole


def alignments(record: RecordingRecord) -> dict[int, Alignment]:
    """Return the alignment of each further file with the first, as far as they heard one voice."""
    files = sorted({int(file) for file in record.arrivals["file"]})
    found = {}
    for file in files:
        if file == files[0]:
            continue
        candidates = [*_candidates(record, files[0], file)]
        if candidates:
            found[file] = min(candidates, key=lambda each: each.spread_ms)
    return found


def _candidates(record: RecordingRecord, first: int, file: int) -> Iterator[Alignment]:
    for voice in sorted({int(voice) for voice in record.arrivals["voice"]}):
        ends = [_first_arrival(record, voice, number) for number in (first, file)]
        if None in ends:
            continue
        one, other = (_times(record, int(end or 0)) for end in ends)
        both = _joined(one, other)
        if len(both) < LEAST_CLICKS:
            continue
        x, y = both["time_s"].to_numpy(), both["other_s"].to_numpy()
        slope, offset = _line(x, y - x)
        off_ms = 1e3 * np.abs(y - x - slope * x - offset)
        spread_ms = float(np.quantile(off_ms, 0.95))
        pair = (int(ends[0] or 0), int(ends[1] or 0))
        yield Alignment(file, voice, pair, offset, 1e6 * slope, spread_ms)


def _first_arrival(record: RecordingRecord, voice: int, file: int) -> int | None:
    """Return a voice's first arrival in a file, in the channel in which it is most often heard."""
    table = record.arrivals
    there = table[(table["file"] == file) & (table["voice"] == voice) & (table["order"] == 1)]
    if there.empty:
        return None
    return int(there.sort_values("heard", ascending=False, kind="stable")["arrival"].iloc[0])


def _times(record: RecordingRecord, arrival: int) -> pd.DataFrame:
    clicks = record.clicks
    return clicks.loc[clicks["arrival"] == arrival, ["click", "time_s"]]


def _joined(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return the clicks of both; of two files, as many rounds of identities apart as suits best."""
    rounds = round((other["click"].median() - one["click"].median()) / IDENTITIES)
    options = [
        one.merge(
            other.assign(click=other["click"] - shift * IDENTITIES).rename(
                columns={"time_s": "other_s"}
            ),
            on="click",
        )
        for shift in (rounds - 1, rounds, rounds + 1)
    ]
    return max(options, key=len)


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return slope and intercept by Theil and Sen; NaN for less than three points."""
    if len(x) < LEAST_CLICKS:
        return math.nan, math.nan
    every = math.ceil(len(x) / _MOST_FITTED)
    fit = stats.theilslopes(y[::every], x[::every])
    return float(fit.slope), float(np.median(y - fit.slope * x))


def has_jump(time_s: NDArray[np.float64], delays_ms: NDArray[np.float64]) -> bool:
    """Return whether delays change at once and for good, by more than they do round that place.

    The medians of some clicks to either side tell a jump from a click that is late by itself. While
    clicks are missing, two clocks may part by `_MOST_PPM`.
    """
    steps = np.abs(np.diff(delays_ms)) - 1e-3 * _MOST_PPM * np.diff(time_s)
    at = np.argsort(-steps, kind="stable")[:_MOST_JUMPS] + 1
    for place in at[(at >= _BESIDE) & (at <= len(delays_ms) - _BESIDE)]:
        before, after = delays_ms[place - _BESIDE : place], delays_ms[place : place + _BESIDE]
        apart_s = time_s[place] - time_s[place - 1]
        least_ms = max(_JUMP_MS, _JUMP_SPREADS * max(np.ptp(before), np.ptp(after)))
        if abs(np.median(after) - np.median(before)) > least_ms + 1e-3 * _MOST_PPM * apart_s:
            return True
    return False


def pairs(record: RecordingRecord) -> list[Pair]:
    """Return the pairs of arrivals of one voice, from the earlier to the later one."""
    aligned = alignments(record)
    return [
        pair
        for one, other in combinations(_rows(record.arrivals), 2)
        if one["voice"] == other["voice"]
        and not _defines(aligned, int(one["arrival"]), int(other["arrival"]))
        for pair in _pair(record, aligned, one, other)
    ]


def _rows(table: pd.DataFrame) -> list[dict[str, float]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _defines(aligned: dict[int, Alignment], one: int, other: int) -> bool:
    return any(each.arrivals == (one, other) for each in aligned.values())


def _pair(
    record: RecordingRecord,
    aligned: dict[int, Alignment],
    one: dict[str, float],
    other: dict[str, float],
) -> Iterator[Pair]:
    """Yield the pair of two arrivals, if their clocks are comparable and they share clicks."""
    if one["file"] == other["file"]:
        both = [_times(record, int(each["arrival"])) for each in (one, other)]
    else:
        if abs(one["bpm"] / other["bpm"] - 1) > _ONE_TEMPO:
            return
        both = [*_by_one_clock(record, aligned, (one, other))]
        if len(both) < 2:
            return
        both[1] = _renumbered(both[0], both[1], one["bpm"])
    shared = both[0].merge(both[1].rename(columns={"time_s": "other_s"}), on="click")
    round_s = IDENTITIES * 60 / one["bpm"]
    delays = shared["other_s"] - shared["time_s"]
    longest_s = min(LONGEST_S, round_s / 2)
    least = max(LEAST_CLICKS, _LEAST_SHARE * min(map(len, both)))
    if len(shared) < least or abs(delays.median()) > longest_s:
        return
    ends = (int(one["arrival"]), int(other["arrival"]))
    if delays.median() < 0:
        both.reverse()
        ends, other = ends[::-1], one
    one_file = one["file"] == other["file"]
    until_s = _until_s(record, both[0], other, abs(delays.median())) if one_file else -math.inf
    yield Pair(*ends, int(one["voice"]), _delays(both[0], both[1], longest_s, until_s))


def _until_s(
    record: RecordingRecord, source: pd.DataFrame, arrival: dict[str, float], delay_s: float
) -> float:
    """Return the time of the first click that an arrival which ended is not to have.

    Another arrival takes its place from there on, or the recording ends before the click arrives.
    """
    table = record.arrivals
    same = (table[[*_PLACE]] == [arrival[name] for name in _PLACE]).all(axis=1)
    later = table[same & (table["first_s"] > arrival["last_s"])].sort_values("first_s")
    end_s = float(record.files[int(arrival["file"]) - 1]["seconds"]) - _ARRIVING_S - delay_s
    if later.empty:
        return end_s
    number = _times(record, int(later["arrival"].iloc[0]))["click"].min()
    return float(source.loc[source["click"] >= number, "time_s"].min())


def _by_one_clock(
    record: RecordingRecord,
    aligned: dict[int, Alignment],
    both: tuple[dict[str, float], dict[str, float]],
) -> Iterator[pd.DataFrame]:
    first = min(int(file) for file in record.arrivals["file"])
    for arrival in both:
        times, file = _times(record, int(arrival["arrival"])), int(arrival["file"])
        if file == first:
            yield times
        elif file in aligned:
            yield times.assign(time_s=aligned[file].to_first(times["time_s"].to_numpy()))


def _renumbered(one: pd.DataFrame, other: pd.DataFrame, bpm: float) -> pd.DataFrame:
    """Return an arrival with whole rounds added to its numbers, so that times agree best."""
    beat_s = 60 / bpm
    ahead = [each["click"].median() - each["time_s"].median() / beat_s for each in (one, other)]
    rounds = round((ahead[1] - ahead[0]) / IDENTITIES)
    return other.assign(click=other["click"] - rounds * IDENTITIES)


def _delays(
    source: pd.DataFrame, to: pd.DataFrame, longest_s: float, until_s: float
) -> pd.DataFrame:
    """Return the delay of each click of the source from the other's first click on.

    Those after the other's last click count if they were sent before `until_s`.
    """
    begun = source["click"] >= to["click"].min()
    within: pd.DataFrame = source[
        begun & ((source["click"] <= to["click"].max()) | (source["time_s"] < until_s))
    ]
    table = within.merge(to.rename(columns={"time_s": "other_s"}), on="click", how="left")
    delay_s = (table["other_s"] - table["time_s"]).fillna(math.inf)
    table["delay_ms"] = 1e3 * delay_s
    kept: pd.DataFrame = table[(delay_s.abs() <= longest_s) | np.isinf(delay_s)]
    return kept.sort_values("time_s")[["click", "time_s", "delay_ms"]].reset_index(drop=True)


def delay_table(record: RecordingRecord) -> pd.DataFrame:
    """Return a row per pair of arrivals of one voice.

    Columns: ``source`` and ``to`` (arrivals), ``from_name`` and ``to_name``, ``voice``, ``clicks``,
    ``heard_share``, ``median_ms``, ``p95_ms``, ``jitter_ms``, ``least_ms``, ``skew_ppm``,
    ``level_db`` (of the later arrival relative to the earlier one).

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from jamlab import analyse, example_take
    >>> with TemporaryDirectory() as folder:
    ...     record = analyse(example_take(Path(folder) / "take.wav"))
    >>> delay_table(record)[["from_name", "to_name", "clicks", "median_ms"]].round(2)
       from_name    to_name  clicks  median_ms
    0  channel 1  channel 2      60       27.5
    """
    levels = record.arrivals.set_index("arrival")["level_dbfs"]
    rows = [
        _row(record, pair) | {"level_db": float(levels[pair.to] - levels[pair.source])}
        for pair in pairs(record)
    ]
    return pd.DataFrame(rows, columns=[*_COLUMNS])


_COLUMNS = (
    *("source", "to", "from_name", "to_name", "voice", "clicks", "heard_share"),
    *("median_ms", "p95_ms", "jitter_ms", "least_ms", "skew_ppm", "level_db"),
)


def _row(record: RecordingRecord, pair: Pair) -> dict[str, object]:
    delays, rng = pair.delays_ms, resampling()
    heard = delays[np.isfinite(delays)]
    return {
        "source": pair.source,
        "to": pair.to,
        "from_name": record.name(pair.source),
        "to_name": record.name(pair.to),
        "voice": pair.voice,
        "clicks": len(delays),
        "heard_share": len(heard) / len(delays),
        "median_ms": median(heard, rng).value,
        "p95_ms": p95(delays, rng).value,
        "jitter_ms": jitter(heard, rng).value,
        "least_ms": float(heard.min(initial=math.inf)),
        "skew_ppm": pair.skew_ppm,
    }
