"""The stopwatch test: one recording at A says how long B's sound takes to A, or there and back.

A plays clicks by a loudspeaker, B's microphone hears them, and B's sound comes back out of A's
loudspeaker. A recorder at A hears each click twice. The later arrival is late by the network's way,
which is sought, and by a way through air, which is taken off:

*air*      both are in one room, B hears A's loudspeaker, and B's own is off: the delay is the way
           from A's loudspeaker to B's microphone, and one way from B to A.
*network*  A's microphone is on, B hears A by B's loudspeaker, over the network: the delay is there
           and back, and the ways from loudspeaker to microphone at both ends. One direction lies
           between nothing and the whole, for no clock is compared.

Sound travels 337 to 352 m/s between 10 and 35 °C, and a distance is taken as exact to 0.1 m.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from jamlab.measure.digits import between, measured
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.recording.delays import Pair, pairs
from jamlab.measure.recording.record import RecordingRecord
from jamlab.measure.statistics import Estimate, median, p95, resampling

_SLOWEST_M_S, _FASTEST_M_S = 337.0, 352.0
_MEASURED_TO_M = 0.1
_LONGEST_WAY_M = 100.0
_LARGEST_ROOM_M = 10.0  # where nobody measured


class Way(StrEnum):
    """How B's microphone hears A's clicks."""

    AIR = "air"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class StopwatchPlan:
    """Set-up of a stopwatch test: the way to B's microphone, and its metres of air, if measured.

    Raises `PlanError` for a way or a distance that cannot be.
    """

    way: Way
    air_m: float | None = None

    def __post_init__(self) -> None:
        if self.air_m is not None and not 0 <= self.air_m <= _LONGEST_WAY_M:
            raise PlanError(f"air_m is {self.air_m:g}: choose 0 to {_LONGEST_WAY_M:g} metres")

    @classmethod
    def of(cls, way: str | None, air_m: float | None) -> "StopwatchPlan | None":
        """Return the plan, or None without a way; raises `PlanError`."""
        if way is None:
            if air_m is not None:
                raise PlanError(
                    f"air_m is {air_m:g}, and there is no stopwatch test: add stopwatch "
                    "(--stopwatch), air or network"
                )
            return None
        if way not in set(Way):
            raise PlanError(f"stopwatch is {way!r}: choose {' or '.join(Way)}")
        return cls(Way(way), air_m)


@dataclass(frozen=True, slots=True)
class AirWay:
    """Time that sound takes through air, between bounds, and how it is known."""

    low_ms: float
    high_ms: float
    known_by: str

    @property
    def middle_ms(self) -> float:
        """The middle of the bounds."""
        return (self.low_ms + self.high_ms) / 2


@dataclass(frozen=True, eq=False, slots=True)
class Stopwatch:
    """The delays of a stopwatch test, and the way through air that is in them."""

    way: Way
    pair: Pair
    air: AirWay
    further: int
    """Arrivals after the return: reflections, or sound that went round again."""
    others: int
    """Direct sounds that came back, too, in other voices, channels or files, or later."""

    @property
    def name(self) -> str:
        """Name of the figure."""
        return "one way, B to A" if self.way is Way.AIR else "there and back"

    def median(self) -> Estimate:
        """Estimate the median in ms, without the way through air."""
        return self._through_network(median(self.pair.delays_ms, resampling()))

    def p95(self) -> Estimate:
        """Estimate the 95th percentile in ms, without the way through air."""
        return self._through_network(p95(self.pair.delays_ms, resampling()))

    def _through_network(self, delay: Estimate) -> Estimate:
        """Take off the way through air, whose bounds widen the interval."""
        return Estimate(
            delay.value - self.air.middle_ms,
            delay.low - self.air.high_ms,
            delay.high - self.air.low_ms,
            delay.confidence,
        )

    @property
    def fault(self) -> str:
        """Why there is no figure; "" where there is one."""
        least_ms = float(self.pair.delays_ms.min())
        if not math.isfinite(least_ms) or self.air.low_ms <= least_ms:
            return ""
        return (
            f"The way through air takes {self.air.low_ms:.1f} ms or more, and the first click came "
            f"back after {least_ms:.1f} ms: measure the distance again."
        )

    def facts(self) -> dict[str, str]:
        """Return the figures with their intervals, by name, as text."""
        air = f"{between(self.air.low_ms, self.air.high_ms, 1)} ms ({self.air.known_by})"
        if self.fault:
            return {"way through air": air, self.name: "not known, for the way is too long"}
        return {
            "way through air": air,
            f"{self.name}, median": _told(self.median()),
            f"{self.name}, 95th percentile": _told(self.p95()),
            **self._directions(),
        }

    def _directions(self) -> dict[str, str]:
        """Return what is known of the directions that have no figure."""
        if self.way is Way.AIR:
            return {"one way, A to B": "not in this recording: change places"}
        span = between(0.0, max(0.0, self.median().high), 1)
        return {"either direction alone": f"{span} ms; both add up to the whole"}


def _told(ms: Estimate) -> str:
    return measured(ms.value, ms.low, ms.high, "ms")


def plan_of(record: RecordingRecord) -> StopwatchPlan | None:
    """Return the stopwatch test that a record is of, if it is one."""
    told = record.provenance["parameters"].get("stopwatch")
    return StopwatchPlan.of(told, record.provenance["parameters"].get("air_m")) if told else None


def stopwatch(record: RecordingRecord) -> Stopwatch | None:
    """Return the reading of a stopwatch test; None without one, or where no click came back.

    The return is the first later arrival in the channel that hears it most often.
    """
    plan, returns = plan_of(record), _returns(record)
    if plan is None or not returns:
        return None
    first = [min(each, key=_median_ms) for each in returns.values()]
    pair = max(first, key=lambda each: int(np.isfinite(each.delays_ms).sum()))
    air = _air(record, plan, pair, float(pair.delays_ms.min()))
    return Stopwatch(plan.way, pair, air, len(returns[pair.source]) - 1, len(returns) - 1)


def _returns(record: RecordingRecord) -> dict[int, list[Pair]]:
    """Return the delays within a channel, by the arrival of the direct sound."""
    places = record.arrivals.set_index("arrival")[["file", "channel"]]
    within = [
        pair
        for pair in pairs(record)
        if tuple(places.loc[pair.source]) == tuple(places.loc[pair.to])
    ]
    returned = {pair.to for pair in within}
    direct = {pair.source for pair in within} - returned
    return {each: [pair for pair in within if pair.source == each] for each in sorted(direct)}


def _median_ms(pair: Pair) -> float:
    return float(np.median(pair.delays_ms))


def _air(record: RecordingRecord, plan: StopwatchPlan, pair: Pair, least_ms: float) -> AirWay:
    if plan.air_m is not None:
        metres = (max(0.0, plan.air_m - _MEASURED_TO_M), plan.air_m + _MEASURED_TO_M)
        return _between(metres, f"{plan.air_m:g} m, as given")
    apart_ms = _apart_ms(record, pair) if plan.way is Way.AIR else None
    if apart_ms is not None and apart_ms < least_ms:
        off_ms = 1e3 * _MEASURED_TO_M / _SLOWEST_M_S
        known_by = "the direct sound in two channels"
        return AirWay(max(0.0, apart_ms - off_ms), apart_ms + off_ms, known_by)
    room = _between((0.0, _LARGEST_ROOM_M), f"not measured: 0 to {_LARGEST_ROOM_M:g} m")
    return AirWay(room.low_ms, min(room.high_ms, least_ms), room.known_by)


def _between(metres: tuple[float, float], known_by: str) -> AirWay:
    return AirWay(1e3 * metres[0] / _FASTEST_M_S, 1e3 * metres[1] / _SLOWEST_M_S, known_by)


def _apart_ms(record: RecordingRecord, pair: Pair) -> float | None:
    """Return how far apart two channels hear the voice first; None for one, or more than two."""
    table = record.arrivals
    first = table[(table["voice"] == pair.voice) & (table["order"] == 1)]
    apart = [
        abs(float(np.median(each.delays_ms)))
        for each in pairs(record)
        if {each.source, each.to} <= set(first["arrival"])
    ]
    longest_ms = 1e3 * _LONGEST_WAY_M / _SLOWEST_M_S
    return apart[0] if len(apart) == 1 and apart[0] < longest_ms else None


def stopwatch_notes(record: RecordingRecord) -> list[str]:
    """Return sentences on what keeps a stopwatch test from its figure, or makes it doubtful."""
    if plan_of(record) is None:
        return []
    read = stopwatch(record)
    if read is None:
        return [
            "No channel hears a click twice, so there is no stopwatch test: let B's sound come out "
            "of A's loudspeaker, and switch echo cancellation off."
        ]
    return [
        *([read.fault] if read.fault else []),
        *_notes_on_others(record, read),
        *_notes_on_further(read),
    ]


def _notes_on_others(record: RecordingRecord, read: Stopwatch) -> Iterator[str]:
    """Yield a sentence where the test is of a part of the clicks."""
    if read.others:
        yield (
            f"The stopwatch test is read from {record.name(read.pair.source)} and "
            f"{record.name(read.pair.to)} alone. Other clicks came back, too, of another voice, "
            "channel or file, or after the player began again: the table of delays has them."
        )


def _notes_on_further(read: Stopwatch) -> Iterator[str]:
    if read.further > 0:
        further = "1 more arrival is" if read.further == 1 else f"{read.further} more arrivals are"
        yield (
            f"After the return {further} heard, such as reflections or sound that goes round "
            "again: the first is taken for the return. If it is a reflection of the room, put the "
            "recorder nearer to A's loudspeaker."
        )
