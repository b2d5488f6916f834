"""The record of a comparison of playout buffers.

=====================  =============================================================
``playbacks.parquet``  a row per trace, buffer and setting: delay and concealed share
``bounds.parquet``     a row per trace, bound and accepted share
``streams.parquet``    a row per trace: packets, losses, floor
``provenance.json``    parameters
=====================  =============================================================

Delays are above the floor of the trace, see `jamlab.measure.playout.packets`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from jamlab.measure.record import NUMBER, Keys, Record, Tables
from jamlab.measure.table import Table

JAMLAB, CONSTANT, STOCK = "jamlab", "constant", "stock aiortc"
NETEQ, JAMULUS = "NetEq-like", "Jamulus-like"
BUFFERS = (JAMLAB, NETEQ, JAMULUS, STOCK, CONSTANT)
"""Names of the buffers that are compared."""
RIVALS = (NETEQ, JAMULUS)
"""Buffers that adapt, and that jamlab has to be below at equal concealment."""

BEST_CONSTANT, BEST_PER_SECOND, BEST_SPLICED = "best constant", "best per second", "best by splices"
BOUNDS = (BEST_CONSTANT, BEST_PER_SECOND, BEST_SPLICED)
"""Names of the bounds of hindsight."""

PLAYBACKS = {
    "trace": "object",
    "buffer": "object",
    "setting": "object",
    "accepted_share": "float64",  # that jamlab was asked for; NaN for the others
    "as_shipped": "bool",  # whether the setting is that of the buffer's authors
    "delay_ms": "float64",
    "concealed_share": "float64",
    "worst_share": "float64",  # over any two minutes
}
BOUND_COLUMNS = {
    "trace": "object",
    "bound": "object",
    "accepted_share": "float64",
    "least_ms": "float64",  # no buffer of the kind has less
    "delay_ms": "float64",  # one has this; infinite if unknown
}
STREAMS = {
    "trace": "object",
    "duration_s": "float64",
    "packets": "int64",
    "lost_share": "float64",
    "worst_lost_share": "float64",  # over any two minutes
    "floor_ms": "float64",
}


@dataclass(frozen=True, eq=False)
class PlayoutRecord(Record):
    """Playout buffers on the same packets of one or several traces.

    Examples
    --------
    >>> sorted(PlayoutRecord.TABLES)
    ['bounds', 'playbacks', 'streams']
    """

    TABLES: ClassVar[Tables] = {
        "playbacks": Table(PLAYBACKS, empty=False, vocabulary={"buffer": BUFFERS}),
        "bounds": Table(BOUND_COLUMNS, empty=False, vocabulary={"bound": BOUNDS}),
        "streams": Table(STREAMS, empty=False),
    }
    KEYS: ClassVar[Keys] = {
        "notes": list,
        "parameters.traces": list,
        "parameters.accept_percent": list,
        "parameters.frame_frames": int,
        "parameters.block_frames": int,
        "parameters.skew_ppm": NUMBER,
    }
    WRITTEN_BY = "`jamlab playout`"

    playbacks: pd.DataFrame
    bounds: pd.DataFrame
    streams: pd.DataFrame
    provenance: dict[str, Any]

    @property
    def traces(self) -> list[str]:
        """Names of the traces."""
        return list(self.streams["trace"])

    @property
    def accepted_shares(self) -> list[float]:
        """Shares that jamlab was asked for, the smallest first."""
        return [percent / 100 for percent in self.provenance["parameters"]["accept_percent"]]
