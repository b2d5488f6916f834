"""A latency run's record.

======================  =============================================================
``clicks.parquet``      a row per emitted click and path, see `CLICK_COLUMNS`
``streams.parquet``     a row per path and measurement: packets, concealment, underruns
``waveforms.parquet``   one click of each measurement, as emitted, played and correlated
``provenance.json``     versions, machine, parameters, loop lag
======================  =============================================================
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from jamlab.measure.record import (
    PARAMETERS,
    PROVENANCE,
    Content,
    RecordError,
    check_whole,
    read_file,
    read_json,
    write_record,
)

CLICK_COLUMNS = {
    "session": "int64",  # number of the session, from 0: each has connections of its own
    "measurement": "object",  # "one way" or "round trip"
    "sender": "object",  # who emitted the click
    "receiver": "object",  # who heard it; in a round trip, who echoed it back to the sender
    "click": "int64",  # number of the click
    "emitted_s": "float64",  # seconds since the session's measurement began
    "latency_ms": "float64",  # NaN when the click was not heard
    "confidence": "float64",  # correlation coefficient, 0 to 1
    # stages of a one-way path, NaN where unknown: see measure.latency.stages
    "frame_ms": "float64",
    "capture_ms": "float64",
    "network_ms": "float64",
    "playout_ms": "float64",
    "card_ms": "float64",
    "lookahead_ms": "float64",
}
"""Columns of the clicks table and their types; times in milliseconds, as a reader wants them."""


STREAM_COLUMNS = (
    "session",
    "measurement",
    "echoing",  # who echoed meanwhile; empty one way
    "sender",
    "receiver",
    "played_frames",
    "concealed_frames",
    "card_blocks",  # of the receiver's card
    "card_underruns",
)
"""Columns the streams table has at least: what was counted while one measurement was on."""


_TABLES = ("clicks", "streams", "waveforms")


@dataclass(frozen=True)
class LatencyRecord:
    """One latency run.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from jamlab import example_record
    >>> with TemporaryDirectory() as folder:
    ...     again = LatencyRecord.load(example_record().save(Path(folder)))
    >>> again.clicks.equals(example_record().clicks)
    True
    """

    clicks: pd.DataFrame
    streams: pd.DataFrame
    waveforms: pd.DataFrame
    provenance: dict[str, Any]

    def save(self, folder: Path) -> Path:
        """Write the record into a folder, made if it is not there; returns the folder."""
        return write_record(folder, self.content)

    @classmethod
    def load(cls, folder: Path) -> "LatencyRecord":
        """Read a record.

        Raises
        ------
        RecordError
            Names the file that is missing or cannot be read.
        """
        provenance = read_file(folder / PROVENANCE, read_json)
        known = {*_object(provenance), *_object(_object(provenance).get("parameters"))}
        lacking = {"parameters", "loop_lag", *PARAMETERS} - known
        if lacking:
            raise RecordError(
                f"{folder / PROVENANCE} lacks {sorted(lacking)}: measure again with this version "
                "of jamlab"
            )
        tables = {name: read_file(folder / f"{name}.parquet", pd.read_parquet) for name in _TABLES}
        for name, columns in (("clicks", CLICK_COLUMNS), ("streams", STREAM_COLUMNS)):
            missing = set(columns) - set(tables[name].columns)
            if missing:
                raise RecordError(
                    f"{folder / f'{name}.parquet'} lacks the columns {sorted(missing)}: "
                    "measure again with this version of jamlab"
                )
        for name, table in tables.items():
            if table.empty:
                raise RecordError(
                    f"{folder / f'{name}.parquet'} has no rows, so there is nothing to judge: "
                    "measure again"
                )
        check_whole(folder, provenance, _TABLES)
        return cls(**tables, provenance=provenance)

    @property
    def content(self) -> "Content":
        """What there is of it to be written."""
        return Content({name: getattr(self, name) for name in _TABLES}, self.provenance)


def _object(read: Any) -> dict[str, Any]:
    """Return a JSON object, an empty one where something else was read."""
    return read if isinstance(read, dict) else {}
