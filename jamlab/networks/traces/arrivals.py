"""Arrivals of a session's packets as Parquet, a row per packet.

============= ======================================================
``peer``      name of the sender
``sequence``  RTP sequence number, 16 bits
``timestamp`` RTP timestamp, 32 bits, by the sender's 48 kHz
``arrival_s`` time of arrival by the receiver's monotonic clock
``size_bytes`` length of the payload
============= ======================================================
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jamlab.networks.model.delay_table import TraceError
from jamlab.networks.model.trace import DelayTrace
from jamlab.networks.traces.rtp_stream import ArrivedPackets, stream_trace
from jamlab.process.whole_files import written_whole

ARRIVALS = pa.schema(
    {
        "peer": pa.string(),
        "sequence": pa.uint16(),
        "timestamp": pa.uint32(),
        "arrival_s": pa.float64(),
        "size_bytes": pa.uint16(),
    }
)
"""Columns of the file."""


def write_arrivals(path: Path, columns: Mapping[str, Any]) -> None:
    """Write the packets of a session, whole or not at all; raises OSError."""
    arrays = [
        pa.array(columns[field.name], pa.int64() if pa.types.is_integer(field.type) else field.type)
        for field in ARRIVALS
    ]
    table = pa.table(dict(zip(ARRIVALS.names, arrays, strict=True))).cast(ARRIVALS)
    with written_whole(path.parent, path.name) as aside:
        pq.write_table(table, aside / path.name)


def read_arrivals(file: BinaryIO, name: str, peer: str | None = None) -> DelayTrace:
    """Return the delays of a peer's packets, by default of that with most; raises `TraceError`."""
    table = _table(file, name)
    counts = table["peer"].value_counts()
    if counts.empty:
        raise TraceError(f"{name} has no packets: record a session with another participant")
    chosen = str(counts.index[0]) if peer is None else peer
    if chosen not in counts.index:
        known = ", ".join(map(str, counts.index[:10]))
        raise TraceError(f"{name} has no packets of {chosen}: choose {known}")
    packets = table[table["peer"] == chosen]
    return stream_trace(
        name,
        ArrivedPackets(
            packets["sequence"].to_numpy(np.int64),
            packets["timestamp"].to_numpy(np.int64),
            packets["arrival_s"].to_numpy(np.float64),
        ),
    )


def _table(file: BinaryIO, name: str) -> pd.DataFrame:
    try:
        table = pq.read_table(file, columns=ARRIVALS.names)
        found: pd.DataFrame = table.select(ARRIVALS.names).cast(ARRIVALS).to_pandas()
    except (pa.ArrowException, OSError, ValueError, KeyError):
        raise TraceError(
            f"{name} is no recording of packets by jamlab: it is damaged or has other columns"
        ) from None
    return found.dropna()
