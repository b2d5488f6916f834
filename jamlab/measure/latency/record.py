"""A latency run's record.

======================  =============================================================
``clicks.parquet``      a row per emitted click and path, see `CLICK_COLUMNS`
``streams.parquet``     a row per path and measurement: packets, concealment, underruns
``waveforms.parquet``   one click of each measurement, as emitted, played and correlated
``provenance.json``     versions, machine, parameters, loop lag
======================  =============================================================
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from jamlab.measure.latency.stages import STAGES
from jamlab.measure.record import NUMBER, Keys, Record, Tables
from jamlab.measure.table import Table

CLICK_COLUMNS = {
    "session": "int64",  # number of the session, from 0: each has connections of its own
    "measurement": "object",  # "one way" or "round trip"
    "sender": "object",  # participant that emitted the click
    "receiver": "object",  # participant that heard it; in a round trip, that echoed it
    "click": "int64",  # number of the click
    "emitted_s": "float64",  # seconds since the session's measurement began
    "latency_ms": "float64",  # NaN when the click was not heard
    "confidence": "float64",  # correlation coefficient, 0 to 1
    # stages of a one-way path, NaN where unknown: see measure.latency.stages
    **{f"{stage}_ms": "float64" for stage in STAGES},
}
"""Columns of the clicks table and their types; latencies are in milliseconds, for readers."""

STREAM_COLUMNS = {
    "session": "int64",
    "measurement": "object",
    "echoing": "object",  # participant that echoed meanwhile; empty one way
    "sender": "object",
    "receiver": "object",
    "played_frames": "int64",
    "concealed_frames": "int64",
    "card_blocks": "int64",  # of the receiver's card
    "card_underruns": "int64",
}
"""Required columns of the streams table: counters over the time of one measurement."""

PARAMETERS: Keys = {
    "parameters.peers": int,
    "parameters.quality": str,
    "parameters.block_frames": int,
    "parameters.max_concealed_percent": NUMBER,
}
"""Required parameters in a provenance."""


@dataclass(frozen=True, eq=False)
class LatencyRecord(Record):
    """One latency run.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from jamlab import example_record
    >>> with TemporaryDirectory() as folder:
    ...     again = LatencyRecord.load(example_record().save(Path(folder)))
    >>> again.clicks.equals(example_record().clicks)
    True
    """

    TABLES: ClassVar[Tables] = {
        "clicks": Table(CLICK_COLUMNS, empty=False),
        "streams": Table(STREAM_COLUMNS, empty=False),
        "waveforms": Table({}, empty=False),
    }
    KEYS: ClassVar[Keys] = {"loop_lag.p99_ms": NUMBER, **PARAMETERS}
    WRITTEN_BY = "`jamlab verify`"

    clicks: pd.DataFrame
    streams: pd.DataFrame
    waveforms: pd.DataFrame
    provenance: dict[str, Any]
