"""A dump as tables, and the reading of one."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import pandas as pd
from pandas.api.typing import NaTType

from jamlab.measure.dump.audio import audio_table
from jamlab.measure.dump.connections import connections_table
from jamlab.measure.dump.events import events_table, ice_table
from jamlab.measure.dump.layouts.content import read_trace
from jamlab.measure.dump.layouts.trace import PeerTrace, Trace
from jamlab.measure.dump.stages import stage_summary, stage_table

Clock: TypeAlias = pd.Timestamp | NaTType
"""A time on the wall clock (UTC); NaT when it is not known."""

_NO_CLOCK = (
    "The log's times have no time zone, and there are no statistics to tell it: only differences "
    "between its times are known."
)
_WHOLE_SECONDS = (
    "The log's times are whole seconds of the user's clock without a zone: they are placed by the "
    "statistics, and right to a second."
)
_NO_PEERS = "The dump has no peer connection: create one while chrome://webrtc-internals is open."
_NO_AUDIO = "The dump has no statistics of an audio stream."


@dataclass(frozen=True, eq=False)
class Dump:
    """A dump of a browser's calls, as tables.

    Times ``time_s`` are seconds since the dump's `start`; ``time`` is the wall clock (UTC).
    """

    path: Path
    layout: str
    """Its layout: "webrtc-internals" or "rtcstats"."""
    browser: str
    """The browser's user agent; "" when the dump does not say it."""
    start: Clock
    """The first time in it; NaT when it is not known."""
    connections: pd.DataFrame
    """A row per peer connection: configuration, states, time to connect, route."""
    events: pd.DataFrame
    """A row per call of the API, event and change of state."""
    ice: pd.DataFrame
    """A row per candidate, change of a state of ICE, and change of the selected pair."""
    audio: pd.DataFrame
    """A row per audio stream and sample of getStats, about one a second."""
    notes: tuple[str, ...] = ()
    """What the reader should know about the dump, a sentence each."""

    @cached_property
    def stages(self) -> pd.DataFrame:
        """A row per inbound audio stream and second: the stages of the one-way latency."""
        return stage_table(self.audio)

    @cached_property
    def stage_summary(self) -> pd.DataFrame:
        """A row per inbound audio stream and stage: median and 95th percentile of the seconds."""
        return stage_summary(self.stages)


def read_dump(path: Path | str) -> Dump:
    """Read a dump of chrome://webrtc-internals or a file of rtcstats, plain or gzip.

    The layout is recognised by the content. Of a file of rtcstats that is cut off, the whole lines
    are read, and a note says so. Raises `DumpError` for a file that is no dump, or whose JSON is
    cut off; states the remedy.

    Examples
    --------
    >>> from jamlab import example_dump
    >>> dump = read_dump(example_dump().path)
    >>> dump.layout
    'webrtc-internals'
    >>> dump.connections[["connected", "route"]]
       connected   route
    0       True  direct
    1       True  direct
    """
    path = Path(path)
    trace = read_trace(path)
    start_s = _start_s(trace)
    start = _wall_clock(start_s) if trace.absolute else pd.NaT
    connections = connections_table(trace, start_s)
    audio = audio_table(trace, start_s)
    return Dump(
        path,
        trace.layout,
        trace.browser,
        start,
        connections,
        events=_with_clock(events_table(trace, start_s), start),
        ice=_with_clock(ice_table(trace, start_s), start),
        audio=_with_clock(audio, start),
        notes=(*trace.notes, *_notes(trace, connections, audio)),
    )


def _start_s(trace: Trace) -> float:
    """Return the millisecond in which a trace begins; NaN without any time."""
    times = [time for peer in trace.peers for time in _times(peer) if math.isfinite(time)]
    return math.floor(1000 * min(times)) / 1000 if times else math.nan


def _wall_clock(unix_s: float) -> Clock:
    if math.isnan(unix_s):
        return pd.NaT
    return pd.Timestamp(round(1000 * unix_s), unit="ms", tz="UTC")


def _times(peer: PeerTrace) -> list[float]:
    return [event.at_s for event in peer.events] + [
        float(series.at_s[0]) for series in peer.series.values() if len(series.at_s)
    ]


def _with_clock(table: pd.DataFrame, start: Clock) -> pd.DataFrame:
    """Return a table with the wall clock as the column after ``time_s``, in whole milliseconds."""
    after = pd.to_timedelta((1000 * table["time_s"]).round(), unit="ms")
    clock = pd.Series(start, table.index, dtype="datetime64[ms, UTC]") + after
    table.insert(list(table.columns).index("time_s") + 1, "time", clock)
    return table


def _notes(trace: Trace, connections: pd.DataFrame, audio: pd.DataFrame) -> list[str]:
    said = []
    if not trace.absolute:
        said.append(_NO_CLOCK)
    elif trace.resolution_s >= 1:
        said.append(_WHOLE_SECONDS)
    if connections.empty:
        said.append(_NO_PEERS)
    elif audio.empty:
        said.append(_NO_AUDIO)
    return said
