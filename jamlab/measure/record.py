"""Records: what a run leaves behind, and all that a report is made from.

A record is a folder. Tables are Parquet, a row per observation; `provenance.json` beside them says
how they came about. Nothing in a record is a verdict: those are drawn from it anew, by the rules of
the jamlab that reads it.

======================  =============================================================
``clicks.parquet``      a row per emitted click and path, see `CLICK_COLUMNS`
``streams.parquet``     a row per path and measurement: packets, concealment, underruns
``waveforms.parquet``   one click of each measurement, as emitted, played and correlated
``provenance.json``     versions, machine, parameters, loop lag
======================  =============================================================
"""

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from jamlab.media.opus import library_version

CLICK_COLUMNS = {
    "measurement": "object",  # "one way" or "round trip"
    "sender": "object",  # who emitted the click
    "receiver": "object",  # who heard it; in a round trip, who echoed it back to the sender
    "click": "int64",  # number of the click
    "emitted_s": "float64",  # seconds since the measurement began
    "latency_ms": "float64",  # NaN when the click was not heard
    "confidence": "float64",  # correlation coefficient, 0 to 1
    "frame_ms": "float64",  # stages of a one-way path, NaN where unknown: see measure.stages
    "capture_ms": "float64",
    "network_ms": "float64",
    "playout_ms": "float64",
    "card_ms": "float64",
    "lookahead_ms": "float64",
}
"""Columns of the clicks table and their types; times in milliseconds, as a reader wants them."""

_TABLES = ("clicks", "streams", "waveforms")
_PACKAGES = ("jamlab", "aiortc", "aioice", "av", "opuslib-next", "numpy", "scipy", "pandas")


class RecordError(ValueError):
    """A folder that holds no readable record."""


@dataclass(frozen=True)
class LatencyRecord:
    """One latency run."""

    clicks: pd.DataFrame
    streams: pd.DataFrame
    waveforms: pd.DataFrame
    provenance: dict[str, Any]

    def save(self, folder: Path) -> Path:
        """Write the record into a folder, made if it is not there; returns the folder."""
        return write_record(folder, {n: getattr(self, n) for n in _TABLES}, self.provenance)

    @classmethod
    def load(cls, folder: Path) -> "LatencyRecord":
        """Read a record.

        Raises
        ------
        RecordError
            Names the file that is missing or cannot be read.
        """
        provenance = read_file(folder / "provenance.json", read_json)
        tables = {name: read_file(folder / f"{name}.parquet", pd.read_parquet) for name in _TABLES}
        missing = set(CLICK_COLUMNS) - set(tables["clicks"].columns)
        if missing:
            raise RecordError(
                f"{folder / 'clicks.parquet'} lacks the columns {sorted(missing)}: "
                "measure again with this version of jamlab"
            )
        return cls(**tables, provenance=provenance)


def write_record(
    folder: Path, tables: Mapping[str, pd.DataFrame], provenance: Mapping[str, Any]
) -> Path:
    """Write a record's tables, a file each, and its provenance; returns the folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    tables : mapping
        By name.
    provenance : mapping
        For JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    text = json.dumps(provenance, indent=2, sort_keys=True)
    (folder / "provenance.json").write_text(text + "\n", encoding="utf-8")
    return folder


def read_file(path: Path, reader: Any) -> Any:
    """Read a file with a reader of its format; raises `RecordError`, naming the file."""
    if not path.is_file():
        raise RecordError(
            f"{path} is missing: name a folder that `jamlab verify` or `jamlab connectivity` wrote "
            "to its end"
        )
    try:
        return reader(path)
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from error


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages a figure depends on."""
    found = {"python": platform.python_version(), "libopus": library_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """Return what the machine is; no name of its own, no address."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "implementation": sys.implementation.name,
    }


def provenance(parameters: dict[str, Any], **observations: Any) -> dict[str, Any]:
    """Return the provenance of a run that ends now."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "parameters": parameters,
        "versions": versions(),
        **observations,
    }
