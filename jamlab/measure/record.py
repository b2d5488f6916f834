"""Records: what a run leaves behind, and all that a report is made from.

A record is a folder. Tables are Parquet, a row per observation; `provenance.json` beside them says
how they came about. Nothing in a record is a verdict: those are drawn from it anew, by the rules of
the jamlab that reads it.

All files of a record are written aside before the first of them takes its place, the provenance
last. It has the others' digests, so a record whose writing was broken off between two of them is
refused: never are two runs mixed in one.
"""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from jamlab.media.opus import library_version
from jamlab.process.whole_files import written_whole

PROVENANCE = "provenance.json"
"""Name of the file that says how a record came about, and which files are its own."""

_FILES = "files"  # the provenance's key of the other files' digests
PARAMETERS = ("peers", "quality", "block_frames", "max_concealed_percent")
"""What a provenance says at least of how a latency was measured."""


_SUFFIXES = (".parquet", ".json", ".log", ".txt")
_PACKAGES = ("jamlab", "aiortc", "aioice", "av", "opuslib-next", "numpy", "scipy", "pandas")


class RecordError(ValueError):
    """A folder that holds no readable record, or to which none can be written."""


@dataclass(frozen=True)
class Content:
    """What is written of a record: tables by name, and its provenance, for JSON."""

    tables: Mapping[str, pd.DataFrame]
    provenance: Mapping[str, Any]


def write_record(
    folder: Path, content: Content, parts: Mapping[str, Content] | None = None
) -> Path:
    """Write a record, whole or not at all; returns the folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there. What it had of an earlier record is gone afterwards.
    content : Content
        The record.
    parts : mapping, optional
        Records that belong to it, by the names of their folders in it.

    Raises
    ------
    RecordError
        When it cannot be written there; an earlier record is still there.
    """
    try:
        earlier = _files(folder)
        with written_whole(folder, PROVENANCE) as aside:
            for name, part in (parts or {}).items():
                _write(aside / name, part)
            _write(aside, content)
        for name in earlier - _files(folder):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise RecordError(
            f"the record cannot be written to {folder} ({error.strerror or error}): make room "
            "there, or name another folder"
        ) from error
    return folder


def _write(folder: Path, content: Content) -> None:
    """Write a record into a folder that is all its own."""
    folder.mkdir(exist_ok=True)
    for name, table in content.tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    written = {path for path in folder.rglob("*") if path.is_file()}
    digests = {path.relative_to(folder).as_posix(): _digest(path) for path in written}
    text = json.dumps({**content.provenance, _FILES: digests}, indent=2, sort_keys=True)
    (folder / PROVENANCE).write_text(text + "\n", encoding="utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _files(folder: Path) -> set[str]:
    """Return the names of the files a record in a folder has, if there is one."""
    try:
        return set(filter(_is_within, read_json(folder / PROVENANCE)[_FILES]))
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def _is_within(name: str) -> bool:
    """Return whether a name in a provenance, which may be anybody's, stays in the folder."""
    path = PurePath(name)
    return not path.is_absolute() and ".." not in path.parts and path.suffix in _SUFFIXES


def has_part(provenance: Mapping[str, Any], name: str) -> bool:
    """Return whether a record that was read, and not yet checked, has a part of that name."""
    return f"{name}/{PROVENANCE}" in provenance.get(_FILES, ())


def check_whole(folder: Path, provenance: dict[str, Any], tables: Iterable[str] = ()) -> None:
    """Check that all files of a record are of one run, after they were read.

    Parameters
    ----------
    folder : Path
        The record's.
    provenance : dict
        As it was read before the tables; loses the digests.
    tables : iterable of str
        Tables that it has to name as its own.

    Raises
    ------
    RecordError
        Names the file that is another run's.
    """
    digests = provenance.pop(_FILES, None)
    if not isinstance(digests, dict):
        raise RecordError(
            f"{folder / PROVENANCE} does not say which tables are its own: measure again with this "
            "version of jamlab"
        )
    for name in sorted({f"{table}.parquet" for table in tables} | set(digests)):
        if not _is_within(name):
            raise RecordError(
                f"{folder / PROVENANCE} names {name!r} as its own, which is elsewhere"
            )
        path = folder / name
        if name not in digests or not path.is_file() or _digest(path) != digests[name]:
            raise RecordError(
                f"{path} is not of the run that {PROVENANCE} there is about, for one of "
                "two was broken off as it was written: measure again"
            )


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
    """Read a JSON file; raises ValueError for what is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


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
