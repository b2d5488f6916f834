"""Times of webrtc-internals' log: the clock of the browser's user, in the user's language.

Chromium up to 2025 writes a time as ``4/14/2025, 12:55:00 PM``: whole seconds, the order of day and
month that of the language, and no time zone. Only the time of day is read. The statistics have Unix
time, and begin about a second after the connection: the zone is the multiple of a quarter of an
hour that puts the log's beginning just before them.
"""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from jamlab.measure.dump.layouts.values import unix_s

QUARTER_S = 900.0
DAY_S = 86_400.0
SLACK_S = 2.0
"""Seconds by which the log may begin after the statistics: both are rounded."""

_COLONS = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})")
_DOTS = re.compile(r"(\d{1,2})\.(\d{2})\.(\d{2})(?!\d)")
_MORNING = re.compile(r"(?i)\bam\b|a\.\s?m\.|上午|午前|오전")
_EVENING = re.compile(r"(?i)\bpm\b|p\.\s?m\.|下午|午後|오후")


def absolute_s(written: str) -> float:
    """Return the Unix time of an ISO 8601 time with its zone; NaN for any other."""
    try:
        read = datetime.fromisoformat(written)
        return unix_s(1000 * read.timestamp()) if read.tzinfo else math.nan
    except (ValueError, OverflowError, OSError):
        return math.nan


def of_day_s(written: str) -> float:
    """Return the seconds since midnight of a time in any language; NaN where there is none."""
    found = _COLONS.findall(written) or _DOTS.findall(written)
    if not found:
        return math.nan
    hour, minute, second = map(int, found[-1])
    if _EVENING.search(written):
        hour = hour % 12 + 12
    elif _MORNING.search(written):
        hour %= 12
    if hour > 23 or minute > 59 or second > 60:  # a leap second is one of 60
        return math.nan
    return hour * 3600.0 + minute * 60.0 + second


def unwrapped(of_day: Iterable[float]) -> list[float]:
    """Return times of day in their order as seconds that go on after midnight."""
    result: list[float] = []
    days, before = 0.0, math.nan
    for each in of_day:
        if before - each > DAY_S / 2:
            days += DAY_S
        before = before if math.isnan(each) else each
        result.append(each + days)
    return result


def zone_s(begins: Sequence[tuple[float, float]]) -> float:
    """Return the seconds to add to times of day for Unix time, up to whole days.

    For each connection, the time of day at which its log begins and the Unix time at which its
    statistics begin; the connection whose beginnings lie closest decides. NaN without any.
    """
    zones = [
        (math.floor((unix - day + SLACK_S) / QUARTER_S) * QUARTER_S, unix, day)
        for day, unix in begins
    ]
    gaps = [(unix - day - zone, zone) for zone, unix, day in zones]
    return min(gaps)[1] % DAY_S if gaps else math.nan


def day_of(begin_s: float, near_s: float) -> float:
    """Return the seconds to add, whole days, so that a time is the last before another."""
    return math.floor((near_s + SLACK_S - begin_s) / DAY_S) * DAY_S
