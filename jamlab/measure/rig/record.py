"""The record of programs that were measured on the rig.

=======================  ===========================================================
``punctuality.parquet``  a row per session: how well the machine kept the graph's time
``clicks.parquet``       a row per emitted click and ordered pair of players
``provenance.json``      commands, parameters, the rig's own delay, remarks
=======================  ===========================================================
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from jamlab.measure.latency.worst_path import CLICKS
from jamlab.measure.record import NUMBER, Keys, Record, Tables
from jamlab.measure.table import Table

PUNCTUALITY = {
    "session": "int64",
    "cycles": "int64",
    "missed_cycles": "int64",
    "late_cycles": "int64",
    "xruns": "int64",
    "worst_lateness_ms": "float64",
    "busy_share": "float64",  # of the processors' time
}
"""Columns of the table of the graph's punctuality."""

MOST_BUSY = 0.9
"""Largest share of the processors' time with which what a program loses is the program's."""

_LONGEST_NAME = 60  # a file system takes 255 bytes


@dataclass(frozen=True, eq=False)
class RigRecord(Record):
    """Programs that were measured in one run.

    The provenance's ``own_delay_ms`` is the delay of the rig, which was taken off; its
    ``error_ms`` the spread of that delay.

    Examples
    --------
    >>> sorted(RigRecord.TABLES)
    ['clicks', 'punctuality']
    """

    TABLES: ClassVar[Tables] = {
        "punctuality": Table(PUNCTUALITY, empty=False),
        "clicks": Table(CLICKS, empty=False),
    }
    KEYS: ClassVar[Keys] = {
        "error_ms": NUMBER,
        "own_delay_ms": NUMBER,
        "remarks": list,
        "parameters.system": str,
        "parameters.commands": list,
        "parameters.before": list,
        "parameters.period_frames": int,
        "parameters.sessions": int,
        "parameters.duration_s": NUMBER,
        "parameters.target_ms": NUMBER,
        "parameters.max_damaged_percent": NUMBER,
    }
    WRITTEN_BY = "`jamlab rig`"

    punctuality: pd.DataFrame
    clicks: pd.DataFrame
    provenance: dict[str, Any]

    @property
    def system(self) -> str:
        """The name of what was measured."""
        return str(self.provenance["parameters"]["system"])


def folder_name(system: str) -> str:
    """Return the name of a folder for a system's record.

    Examples
    --------
    >>> folder_name("Zoom/loud & clear")
    'Zoom-loud-clear'
    """
    return re.sub(r"[^\w.-]+", "-", system).strip(".-")[:_LONGEST_NAME] or "system"


def load_systems(folders: Iterable[Path]) -> list[RigRecord]:
    """Return the records in some folders; a system whose name comes again gets a number.

    Raises `RecordError` for a folder without such a record.
    """
    records = dict[str, RigRecord]()
    for folder in folders:
        record = RigRecord.load(folder)
        name, again = record.system, 2
        while name in records:
            name, again = f"{record.system} ({again})", again + 1
        record.provenance["parameters"]["system"] = name
        records[name] = record
    return list(records.values())
