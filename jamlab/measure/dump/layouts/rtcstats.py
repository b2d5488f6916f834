"""Files of rtcstats: a call of the API, an event or a sample of getStats on each line.

From version 3 on, the first line is ``RTCStatsDump`` and the second has facts about the page. Each
other line is ``[method, connection, value, …, milliseconds]``: the time since the line before, in
the first line Unix time. Version 2 lacks the first line and has Unix time on each.
"""

import json
import math
from collections.abc import Iterable
from typing import Any

from jamlab.measure.dump.layouts.codes import METHODS
from jamlab.measure.dump.layouts.delta import Descriptions, Reports, restored
from jamlab.measure.dump.layouts.names import event_kind
from jamlab.measure.dump.layouts.trace import Event, PeerTrace, Series, Trace, in_order, wanted
from jamlab.measure.dump.layouts.values import decoded, fields, number, text, unix_s

LAYOUT = "rtcstats"
MAGIC = "RTCStatsDump"

MOST_STATISTICS = 1_000_000
"""Most objects in all samples: a line may repeat all of them. An hour of six has 700,000."""

_UNIX_MS = 1e11  # no difference between two lines: it is three years
_MEDIA = "navigator.mediaDevices."


class TooManyStatisticsError(ValueError):
    """Samples of more than `MOST_STATISTICS` objects."""


class _Peer:
    """The lines of one connection, as they are read."""

    def __init__(self, name: str) -> None:
        self.trace = PeerTrace(name)
        self.configuration: object = None
        self._descriptions = Descriptions()
        self.statistics = 0
        """Objects of all samples."""
        self._reports: Reports = {}
        self._samples: dict[str, list[dict[str, Any]]] = {}

    def add(self, method: str, value: Any, at_s: float) -> None:
        """Add a line."""
        if method in ("getStats", "getstats"):
            self._sample(fields(value), at_s)
            return
        if method in ("create", "setConfiguration"):
            self.configuration = value
        whole = self._descriptions.restore(method, value)
        self.trace.events.append(Event(at_s, event_kind(method), decoded(whole)))

    def _sample(self, delta: dict[str, Any], at_s: float) -> None:
        self._reports = restored(self._reports, delta)
        self.statistics += len(self._reports)
        for name, report in self._reports.items():
            kind = report.get("type")
            if isinstance(kind, str) and wanted(kind):
                self._samples.setdefault(name, []).append({**report, "read at": at_s})

    def finished(self) -> PeerTrace:
        """Return the trace of all lines."""
        series = {text(name): _series(each) for name, each in self._samples.items()}
        configuration = text(self.configuration)
        return PeerTrace(self.trace.name, "", configuration, self.trace.events, series)


def read_rtcstats(lines: Iterable[str]) -> tuple[Trace, int]:
    """Return the trace of a file's lines, and the number of lines that are not whole or no entry.

    The first line of version 3 may be missing. Raises `TooManyStatisticsError`.
    """
    peers: dict[str, _Peer] = {}
    about: dict[str, Any] = {}
    at_ms, unread, statistics = 0.0, 0, 0
    for line in lines:
        entry = _entry(line)
        if isinstance(entry, dict) and not about:
            about = entry
        elif isinstance(entry, list) and len(entry) > 2:
            at_ms = _next_ms(at_ms, entry[-1])
            name = text(entry[1], 300)
            peer = peers.setdefault(name, _Peer(name))
            statistics -= peer.statistics
            _add(peer, entry, at_ms)
            statistics += peer.statistics
            if statistics > MOST_STATISTICS:
                raise TooManyStatisticsError
        else:
            unread += bool(line.strip()) and line.strip() != MAGIC
    finished = [peer.finished() for peer in peers.values()]
    browser = text(about.get("userAgent"), 300)
    return Trace(LAYOUT, browser, finished, 0.001, at_ms > _UNIX_MS), unread


def _add(peer: _Peer, entry: list[Any], at_ms: float) -> None:
    key = entry[0] if isinstance(entry[0], int | str) else ""
    method = METHODS.get(key, text(key, 100)).removeprefix(_MEDIA)
    peer.add(method, entry[2] if len(entry) > 3 else None, at_ms / 1000)


def _entry(line: str) -> Any:
    try:
        return json.loads(line)
    except (RecursionError, ValueError):
        return None


def _next_ms(at_ms: float, written: object) -> float:
    """Return a line's time: Unix time or the time since the line before."""
    milliseconds = number(written)
    if not abs(milliseconds) < 100 * _UNIX_MS:
        return at_ms
    return milliseconds if milliseconds > _UNIX_MS else at_ms + milliseconds


def _series(samples: list[dict[str, Any]]) -> Series:
    kind = str(samples[-1]["type"])
    times = [_time_of(each) for each in samples]
    present = {name for each in samples for name in each} & wanted(kind)
    return in_order(kind, times, {of: [each.get(of) for each in samples] for of in present})


def _time_of(sample: dict[str, Any]) -> float:
    at_s = unix_s(sample.get("timestamp"))
    return sample["read at"] if math.isnan(at_s) else at_s
