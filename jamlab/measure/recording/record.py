"""Records of analysed recordings.

====================  ===============================================================
``arrivals.parquet``  a row per arrival: one voice in one channel at one delay
``clicks.parquet``    a row per click and arrival that was heard
``provenance.json``   versions, machine, parameters, files, notes
====================  ===============================================================

Files and channels are counted from 1, in the order in which they were given. Times are seconds of
the file's own clock. Clicks are numbered so that a number modulo 229 is the identity.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from jamlab.measure.record import NUMBER, Keys, Record, Tables
from jamlab.measure.table import Table

ARRIVALS = {
    "arrival": "int64",
    "file": "int64",
    "channel": "int64",
    "voice": "int64",
    "order": "int64",  # 1 for the first of the voice in the channel, then its echoes and returns
    "bpm": "float64",  # by the file's clock
    "heard": "int64",
    "missed": "int64",  # between the first and the last that was heard
    "level_dbfs": "float64",  # median of the clicks' peaks
    "confidence": "float64",  # median
    "first_s": "float64",
    "last_s": "float64",
}
CLICKS = {
    "arrival": "int64",
    "click": "int64",
    "time_s": "float64",
    "confidence": "float64",
    "level_dbfs": "float64",
}
_FILE_KEYS: Keys = {"name": str, "rate": int, "channels": int, "seconds": NUMBER, "format": str}


@dataclass(frozen=True, eq=False)
class RecordingRecord(Record):
    """Record of the clicks that were heard in one or more recordings."""

    TABLES: ClassVar[Tables] = {
        "arrivals": Table(ARRIVALS, empty=False),
        "clicks": Table(CLICKS, empty=False),
    }
    KEYS: ClassVar[Keys] = {
        "recordings": list,
        "notes": list,
        "parameters.bpm": NUMBER | None,
        "parameters.target_ms": NUMBER | None,
    }
    WRITTEN_BY = "`jamlab analyse --out FOLDER`"

    arrivals: pd.DataFrame
    clicks: pd.DataFrame
    provenance: dict[str, Any]

    def mismatch(self) -> str:
        """Return a contradiction between tables and provenance."""
        if not all(map(_is_file, self.files)):
            return "does not say what its files are"
        if not all(isinstance(note, str) for note in self.provenance["notes"]):
            return "has notes that are not text"
        if not _is_length(self.provenance["parameters"].get("every_s")):
            return "has windows of a length that is none"
        if not _is_stopwatch(self.provenance["parameters"]):
            return "is of a stopwatch test whose way or distance cannot be"
        if not self.arrivals["file"].isin(range(1, len(self.files) + 1)).all():
            return "has an arrival of a file that it does not name"
        if not self.arrivals["arrival"].is_unique:
            return "has two arrivals of one number"
        if set(self.clicks["arrival"]) != set(self.arrivals["arrival"]):
            return "has clicks and arrivals that do not belong together"
        return ""

    @property
    def files(self) -> list[dict[str, Any]]:
        """Name, rate, channels, seconds and format of each file."""
        return list(self.provenance["recordings"])

    @property
    def target_ms(self) -> float | None:
        """The limit that the user set for every delay."""
        target: float | None = self.provenance["parameters"]["target_ms"]
        return target

    @property
    def every_s(self) -> float | None:
        """Length of a window, if the user set it."""
        every_s: float | None = self.provenance["parameters"].get("every_s")
        return every_s

    def name(self, arrival: int) -> str:
        """Return the name of an arrival, e.g. "channel 2" or "b.wav, channel 1, voice 3, 2nd"."""
        table = self.arrivals
        row = dict(table[table["arrival"] == arrival].iloc[0])
        words = [f"channel {row['channel']:g}"]
        if len(self.files) > 1:
            words.insert(0, f"{self.files[int(row['file']) - 1]['name']}")
        if len({*table["voice"]}) > 1:
            words.append(f"voice {row['voice']:g}")
        if row["order"] > 1:
            words.append(f"arrival {row['order']:g}")
        return ", ".join(words)


def _is_length(value: Any) -> bool:
    """Return whether a value is a length in seconds, or None, as in earlier records."""
    return value is None or (
        isinstance(value, NUMBER) and not isinstance(value, bool) and 1 <= value < math.inf
    )


def _is_file(about: Any) -> bool:
    return isinstance(about, Mapping) and all(
        isinstance(about.get(key), kind) for key, kind in _FILE_KEYS.items()
    )


def _is_stopwatch(parameters: Mapping[str, Any]) -> bool:
    """Return whether the parameters of a stopwatch test, if there are any, can be."""
    way, air_m = parameters.get("stopwatch"), parameters.get("air_m")
    number = isinstance(air_m, int | float) and not isinstance(air_m, bool)
    return way in (None, "air", "network") and (air_m is None or (number and 0 <= air_m <= 100))
