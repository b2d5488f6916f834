"""Dumps of chrome://webrtc-internals: one JSON object.

Each connection has a log (``updateLog``) and statistics, a series for each property of each object
of getStats: ``"<id>-<property>": {"startTime", "endTime", "statsType", "values"}``, the values
being an array in a JSON string. The times of the samples are the series ``<id>-timestamp``;
Chromium up to 116 has none, and they are spread evenly from start to end. A property that appears
late has fewer values, so its values are aligned at their end. Names in brackets are computed from
others.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jamlab.measure.dump.layouts import clock
from jamlab.measure.dump.layouts.log import Log, placed
from jamlab.measure.dump.layouts.trace import Event, PeerTrace, Series, Trace, in_order, wanted
from jamlab.measure.dump.layouts.values import decoded, fields, items, text, unix_s

LAYOUT = "webrtc-internals"

_MOST_SAMPLES = 1_000_000
_TIMES = "timestamp"
_ROUNDED_S = 0.0015  # an end time has whole milliseconds, a timestamp has fractions
_LEGACY = (
    "It has statistics of the callback-based getStats, which Chromium removed in version 117: they "
    "are not read, so record the dump with a later version."
)


def read_internals(data: dict[str, Any]) -> Trace:
    """Return the trace of a decoded dump."""
    found = {text(name): fields(each) for name, each in fields(data["PeerConnections"]).items()}
    series = {name: _all_series(each) for name, each in found.items()}
    logs = placed([Log.of(each, _begin_s(series[name])) for name, each in found.items()])
    peers = [
        PeerTrace(name, text(each.get("url"), 500), _configuration(each), events, series[name])
        for (name, each), events in zip(found.items(), logs.events, strict=True)
    ]
    requests = [*map(fields, items(data.get("getUserMedia")))] if logs.absolute else []
    media = [Event(unix_s(each.get("timestamp")), _media_kind(each), each) for each in requests]
    return Trace(
        LAYOUT,
        text(data.get("UserAgent"), 300),
        [PeerTrace("", events=media), *peers] if media else peers,
        1.0 if logs.whole_seconds else 0.001,
        logs.absolute,
        [_LEGACY] if any(map(_has_legacy, found.values())) else [],
    )


def _configuration(connection: dict[str, Any]) -> str:
    return text(connection.get("rtcConfiguration"))


def _media_kind(request: dict[str, Any]) -> str:
    kind = text(request.get("request_type"), 50) or "getUserMedia"
    if "error" in request:
        return f"{kind}OnFailure"
    return f"{kind}OnSuccess" if "stream_id" in request else kind


def _begin_s(series: dict[str, Series]) -> float:
    """Return the Unix time of the first statistics; NaN without any."""
    begins = (float(each.at_s[0]) for each in series.values() if len(each.at_s))
    return min(begins, default=math.nan)


def _has_legacy(data: dict[str, Any]) -> bool:
    return any("-goog" in name for name in fields(data.get("stats")))


def _all_series(data: dict[str, Any]) -> dict[str, Series]:
    grouped: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {}
    for name, entry in fields(data.get("stats")).items():
        about = fields(entry)
        kind = about.get("statsType")
        owner, _, of = name.rpartition("-")
        if not isinstance(kind, str) or not (of in wanted(kind) or (of == _TIMES and wanted(kind))):
            continue
        grouped.setdefault(owner, (kind, {}))[1][of] = about
    return {text(owner): _series(kind, entries) for owner, (kind, entries) in grouped.items()}


def _series(kind: str, entries: dict[str, dict[str, Any]]) -> Series:
    columns = {of: _values(entry) for of, entry in entries.items()}
    timed = columns.pop(_TIMES, None)
    times = _even(columns, entries) if timed is None else np.array([*map(unix_s, timed)])
    last = entries.get(_TIMES, {}).get("endTime")
    aligned = {
        of: _aligned(values, times, None if last == entries[of].get("endTime") else entries[of])
        for of, values in columns.items()
    }
    return in_order(kind, times, aligned)


def _values(entry: dict[str, Any]) -> list[Any]:
    return items(decoded(entry.get("values")))[-_MOST_SAMPLES:]


def _even(columns: dict[str, list[Any]], entries: dict[str, dict[str, Any]]) -> NDArray[np.float64]:
    """Return times spread evenly over the longest series; empty where its ends are unknown."""
    longest = max(columns, key=lambda of: len(columns[of]), default=None)
    if longest is None:
        return np.empty(0)
    start_s, end_s = (
        clock.absolute_s(text(entries[longest].get(end), 50)) for end in ("startTime", "endTime")
    )
    return np.linspace(start_s, end_s, len(columns[longest]))


def _aligned(
    values: list[Any], times: NDArray[np.float64], entry: dict[str, Any] | None
) -> Sequence[object]:
    """Return a value for each time: the last value is at the entry's end, by default the last."""
    end = len(times)
    if entry is not None:
        end_s = clock.absolute_s(text(entry.get("endTime"), 50))
        if math.isfinite(end_s):
            end = int(np.searchsorted(times, end_s + _ROUNDED_S, side="right"))
    kept = values[-end:] if end else []
    before = end - len(kept)
    return [*[None] * before, *kept, *[None] * (len(times) - end)]
