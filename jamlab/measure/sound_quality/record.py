"""The record of a comparison of encodings.

===================  ==============================================================
``sessions.parquet`` a row per network, encoding and session: rates, latency, scores
``provenance.json``  versions, machine, parameters
===================  ==============================================================
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from jamlab.measure.record import NUMBER, Keys, Record, Tables
from jamlab.measure.table import Table
from jamlab.media.quality import QUALITIES

SESSION_COLUMNS = {
    "network": "object",
    "quality": "object",
    "frame_frames": "int64",
    "session": "int64",
    "payload_bps": "float64",  # of the Opus packets
    "wire_bps": "float64",  # with their headers
    "latency_ms": "float64",  # one way, median over the music
    "concealed_share": "float64",
    "sinad_db": "float64",  # NaN where the sound was not found
    "zimtohrli": "float64",  # 1 to 5, of this piece; NaN where the library is lacking
}
"""Columns of the sessions' table."""


@dataclass(frozen=True, eq=False)
class SoundQualityRecord(Record):
    """Encodings that were compared by the sound they play.

    Examples
    --------
    >>> list(SoundQualityRecord.TABLES)
    ['sessions']
    """

    TABLES: ClassVar[Tables] = {
        "sessions": Table(
            SESSION_COLUMNS,
            empty=False,
            vocabulary={"quality": tuple(QUALITIES)},
        )
    }
    KEYS: ClassVar[Keys] = {
        "parameters.networks": list,
        "parameters.duration_s": NUMBER,
        "parameters.sessions": int,
        "parameters.block_frames": int,
    }
    WRITTEN_BY = "`jamlab quality`"

    sessions: pd.DataFrame
    provenance: dict[str, Any]
