"""The record of browsers that were measured.

=======================  ===========================================================
``clicks.parquet``       a row per emitted click and pair of players
``statistics.parquet``   a row per received stream and second, from ``getStats``
``provenance.json``      browser, its arguments, parameters, the clocks' bounds, remarks
=======================  ===========================================================
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from jamlab.measure.browser.get_stats import STATISTICS
from jamlab.measure.latency.worst_path import CLICKS
from jamlab.measure.record import NUMBER, Keys, Record, Tables
from jamlab.measure.table import Table


@dataclass(frozen=True, eq=False)
class BrowserRecord(Record):
    """Browsers that were measured in one run.

    The provenance's ``own_delay_ms`` is the delay of the rig, which was taken off; its
    ``error_ms`` the largest error of a latency.

    Examples
    --------
    >>> sorted(BrowserRecord.TABLES)
    ['clicks', 'statistics']
    """

    TABLES: ClassVar[Tables] = {
        "statistics": Table(STATISTICS),
        "clicks": Table(CLICKS, empty=False),
    }
    KEYS: ClassVar[Keys] = {
        "browser.name": str,
        "browser.version": str,
        "error_ms": NUMBER,
        "own_delay_ms": NUMBER,
        "pauses_ms": NUMBER,
        "remarks": list,
        "parameters.url": str,
        "parameters.audio": str,
        "parameters.peers": int,
        "parameters.sessions": int,
        "parameters.duration_s": NUMBER,
        "parameters.target_ms": NUMBER,
        "parameters.max_concealed_percent": NUMBER,
    }
    WRITTEN_BY = "`jamlab browser`"

    statistics: pd.DataFrame
    clicks: pd.DataFrame
    provenance: dict[str, Any]
