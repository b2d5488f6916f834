"""The logs of webrtc-internals' connections, with Unix times."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jamlab.measure.dump.layouts import clock
from jamlab.measure.dump.layouts.names import event_kind
from jamlab.measure.dump.layouts.trace import Event
from jamlab.measure.dump.layouts.values import decoded, fields, items, text, unix_s


@dataclass(frozen=True, slots=True)
class Log:
    """The log of one connection."""

    entries: list[dict[str, Any]]
    unix_s: list[float]
    """Unix times of the entries; NaN where the browser wrote the user's time."""
    local_s: list[float]
    """The user's times, in seconds since midnight before the first; NaN where there is none."""
    statistics_s: float
    """Unix time of the connection's first statistics; NaN without any."""

    @classmethod
    def of(cls, connection: dict[str, Any], statistics_s: float) -> "Log":
        """Return the log of a connection of a decoded dump."""
        entries = [each for each in map(fields, items(connection.get("updateLog"))) if each]
        local_s = clock.unwrapped(
            clock.of_day_s(text(each.get("time"), 100))
            if isinstance(each.get("time"), str)
            else math.nan
            for each in entries
        )
        return cls(entries, [_unix_of(each) for each in entries], local_s, statistics_s)

    @property
    def begins_s(self) -> float:
        """The first of the user's times that has to be placed; NaN if there is none."""
        pairs = zip(self.unix_s, self.local_s, strict=True)
        return _first(local for unix, local in pairs if math.isnan(unix))

    def events(self, shift_s: float) -> list[Event]:
        """Return the events; `shift_s` is added to the user's times."""
        return [
            Event(
                local + shift_s if math.isnan(unix) else unix,
                event_kind(text(each.get("type"), 100)),
                decoded(each.get("value")),
            )
            for each, unix, local in zip(self.entries, self.unix_s, self.local_s, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Placed:
    """The events of all connections, and how exactly they are known."""

    events: list[list[Event]]
    whole_seconds: bool
    absolute: bool
    """Whether their times are Unix times; otherwise only differences mean something."""


def placed(logs: Sequence[Log]) -> Placed:
    """Return the events of all logs, with the user's times placed by the statistics."""
    local = [log for log in logs if not math.isnan(log.begins_s)]
    zone_s = clock.zone_s(
        [(log.begins_s, log.statistics_s) for log in local if not math.isnan(log.statistics_s)]
    )
    anchor_s = min(
        (log.statistics_s for log in logs if not math.isnan(log.statistics_s)), default=math.nan
    )
    absolute = not local or not math.isnan(anchor_s) or not math.isnan(zone_s)
    events = [log.events(_shift_s(log, zone_s, anchor_s) if absolute else 0.0) for log in logs]
    return Placed(events, bool(local), absolute)


def _shift_s(log: Log, zone_s: float, anchor_s: float) -> float:
    """Return the seconds to add to a log's user's times; NaN where the zone is unknown.

    A connection without statistics of its own lies within half a day of another's.
    """
    begins_s = log.begins_s + zone_s
    if math.isnan(begins_s):
        return math.nan
    known = not math.isnan(log.statistics_s)
    near_s = log.statistics_s if known else anchor_s + clock.DAY_S / 2
    return zone_s + clock.day_of(begins_s, near_s)


def _unix_of(entry: dict[str, Any]) -> float:
    """Return the Unix time of an entry: a number, or ISO 8601; NaN for the user's time."""
    written = entry.get("time")
    times = (unix_s(entry.get("timestamp")), unix_s(written), _iso_s(written))
    return _first(times)


def _iso_s(written: object) -> float:
    return clock.absolute_s(written) if isinstance(written, str) else math.nan


def _first(times: Iterable[float]) -> float:
    return next(filter(math.isfinite, times), math.nan)
