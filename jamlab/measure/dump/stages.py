"""Stages of the one-way latency that a dump knows, for each second, and their summary.

The receive side is measured: jitter buffer and playout. The packet's duration is what was asked for
in the descriptions. Of the network a dump has the round trip alone: how it is divided between there
and back is unknown, so the way there is an interval from 0 to the round trip. Capture and encoding
at the other end are not in a dump at all.
"""

import math

import numpy as np
import pandas as pd

from jamlab.measure.dump.audio import INBOUND

STAGES = ("frame", "network", "jitter buffer", "playout")
RECEIVE_SIDE = "receive side"
CAPTURE = "capture and encoding"

STREAM = ["connection", "stream"]
"""Columns that name an inbound stream."""
COLUMNS = (
    *STREAM,
    "time_s",
    "interval_s",
    "frame_ms",
    "network_low_ms",
    "network_high_ms",
    "jitter_buffer_ms",
    "playout_ms",
    "receive_ms",
)

_NOTES = {
    "frame": "packet duration that the session description asks for",
    "network": "0 to the round trip of the selected pair: a dump does not divide it",
    "jitter buffer": "Δ jitterBufferDelay / Δ jitterBufferEmittedCount",
    "playout": "Δ totalPlayoutDelay / Δ totalSamplesCount",
    RECEIVE_SIDE: "jitter buffer and playout: the latency one way is never less",
    CAPTURE: "not in a dump: measure it from mouth to ear",
}


def stage_table(audio: pd.DataFrame) -> pd.DataFrame:
    """Return a row per inbound stream and second in which it played, in milliseconds.

    The receive side is the sum of jitter buffer and playout; where only one of them is known, it is
    that one.
    """
    here = audio[(audio["direction"] == INBOUND) & audio["jitter_buffer_ms"].notna()]
    table = here[[*STREAM, "time_s", "interval_s"]].copy()
    table["frame_ms"] = here["packet_ms"]
    table["network_low_ms"] = np.where(here["round_trip_ms"].notna(), 0.0, np.nan)
    table["network_high_ms"] = here["round_trip_ms"]
    table["jitter_buffer_ms"] = here["jitter_buffer_ms"]
    table["playout_ms"] = here["playout_ms"]
    table["receive_ms"] = here["jitter_buffer_ms"] + here["playout_ms"].fillna(0.0)
    return table[list(COLUMNS)].reset_index(drop=True)


def stage_summary(stages: pd.DataFrame) -> pd.DataFrame:
    """Return a row per inbound stream and stage: median and 95th percentile over its seconds.

    Columns: ``connection``, ``stream``, ``stage``, ``seconds`` in which it is known, ``median_ms``
    and ``p95_ms``, NaN where unknown, and a ``note``. Those of the network are upper bounds.
    """
    columns = ("frame_ms", "network_high_ms", "jitter_buffer_ms", "playout_ms", "receive_ms")
    rows = [
        {
            **dict(zip(STREAM, key, strict=True)),
            "stage": stage,
            **_quantiles(stream[column].dropna() if column else stream["time_s"][:0]),
            "note": _NOTES[stage],
        }
        for key, stream in stages.groupby(STREAM, sort=False)
        for stage, column in zip((*STAGES, RECEIVE_SIDE, CAPTURE), (*columns, ""), strict=True)
    ]
    names = [*STREAM, "stage", "seconds", "median_ms", "p95_ms", "note"]
    return pd.DataFrame(rows, columns=names)


def _quantiles(values: "pd.Series[float]") -> dict[str, float]:
    if values.empty:
        return {"seconds": 0, "median_ms": math.nan, "p95_ms": math.nan}
    middle, high = np.quantile(values, [0.5, 0.95])
    return {"seconds": len(values), "median_ms": float(middle), "p95_ms": float(high)}
