"""Records: what a measurement leaves on the disk, and all that a report is made from.

A record is a folder. Its tables are Parquet, a row per observation; `provenance.json` beside them
says how they were measured. No verdict is in it: verdicts are drawn from the record anew, by the
rules of the jamlab that reads it.

All files of a record are written aside before the first of them takes its place, the provenance
last. It has the digests of the others, so files of two runs are never taken for one record.
"""

import hashlib
import json
import reprlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import wraps
from pathlib import Path, PurePath
from types import UnionType
from typing import Any, ClassVar, Self, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import pandas as pd

from jamlab.measure.table import Table
from jamlab.process.whole_files import finish_writing, written_whole

PROVENANCE = "provenance.json"
"""Name of the file that says how a record came about, and which files are its own."""

NUMBER = int | float
"""Type of a provenance's key whose value is a number, whole or not."""

Contents: TypeAlias = Mapping[str, "pd.DataFrame | Record"]
"""Tables and records by the names of the files and folders they are kept in."""

Tables: TypeAlias = Mapping[str, Table]
"""A kind of record's tables by their names."""
Keys: TypeAlias = Mapping[str, type | UnionType]
"""Types of a provenance's values by their keys."""

_ALL_SAY: Keys = {"created": str, "machine": dict, "parameters": dict, "versions": dict}
_FILES = "files"  # the provenance's key of the other files' digests
_SUFFIXES = (".parquet", ".json", ".log", ".txt")
_AGAIN = "measure again with this version of jamlab"
_MISSING = object()


class RecordError(ValueError):
    """A folder that holds no readable record, or to which none can be written."""


class Record:
    """A measurement's tables and how they came about, which a folder can keep.

    Every kind of record is a frozen dataclass, compared by identity. Beside `provenance` it has a
    field for each of its tables and of the records that belong to it, and says of itself what is
    declared here.
    """

    TABLES: ClassVar[Tables]
    """Its tables, by the names of their fields."""
    KEYS: ClassVar[Keys] = {}
    """Types of what its provenance says beside what all say; a dot stands between levels."""
    PARTS: ClassVar[Mapping[str, type["Record"]]] = {}
    """Kinds of the records that may belong to it, by the names of their fields."""
    WRITTEN_BY: ClassVar[str]
    """The command that writes such records."""

    provenance: dict[str, Any]

    def mismatch(self) -> str:
        """Say what does not belong together, in words that follow the folder; "" if all does."""
        return ""

    def save(self, folder: Path, beside: Contents | None = None) -> Path:
        """Write the record into a folder, whole or not at all; returns the folder.

        Parameters
        ----------
        folder : Path
            Made if it is not there. The files of an earlier record in it are gone afterwards.
        beside : mapping, optional
            What else the folder keeps, as files of this record.

        Raises
        ------
        RecordError
            When it cannot be written there; an earlier record is still there.
        """
        try:
            with written_whole(folder, PROVENANCE) as aside:
                earlier = _files(folder)
                self._write(aside, beside or {})
        except OSError as error:
            raise RecordError(
                f"the record cannot be written to {folder} ({error.strerror or error}): make room "
                "there, or name another folder"
            ) from error
        for name in earlier - _files(folder):
            with suppress(OSError, ValueError):  # what stays is no file of this record
                (folder / name).unlink()
        return folder

    def _write(self, folder: Path, beside: Contents) -> None:
        """Write the record into a folder that is all its own."""
        folder.mkdir(exist_ok=True)
        for name, content in {**self._contents(), **beside}.items():
            if isinstance(content, Record):
                content._write(folder / name, {})
            else:
                content.to_parquet(folder / f"{name}.parquet", index=False)
        written = {path for path in folder.rglob("*") if path.is_file()}
        digests = {path.relative_to(folder).as_posix(): _digest(path) for path in written}
        text = json.dumps({**self.provenance, _FILES: digests}, indent=2, sort_keys=True)
        (folder / PROVENANCE).write_text(text + "\n", encoding="utf-8")

    def _contents(self) -> Contents:
        parts = {name: getattr(self, name) for name in self.PARTS}
        tables = {name: getattr(self, name) for name in self._kept(self.provenance)}
        return tables | {name: part for name, part in parts.items() if part is not None}

    @classmethod
    def _kept(cls, provenance: Mapping[str, Any]) -> dict[str, Table]:
        """Return the tables that a record of that provenance has."""
        return {name: table for name, table in cls.TABLES.items() if table.kept(provenance)}

    @classmethod
    def lies_in(cls, folder: Path) -> bool:
        """Return whether a folder looks like a record of this kind: its first table is there."""
        _finish(folder)
        return (folder / f"{next(iter(cls.TABLES))}.parquet").is_file()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a record.

        Raises
        ------
        RecordError
            Names the file that is missing, cannot be read, or is not as it should be.
        """
        _finish(folder)
        provenance = cls._provenance_of(folder)
        digests = provenance.pop(_FILES)
        kept = cls._kept(provenance)
        contents: dict[str, Any] = {
            name: read_table(folder / f"{name}.parquet", table, cls.WRITTEN_BY)
            for name, table in kept.items()
        }
        for name, kind in cls.PARTS.items():
            there = f"{name}/{PROVENANCE}" in digests
            contents[name] = kind.load(folder / name) if there else None
        make: Callable[..., Self] = cls
        made = make(**contents, provenance=provenance)
        _refuse(folder, made.mismatch(), cls.WRITTEN_BY)
        _check_digests(folder, digests, kept)
        return made

    @classmethod
    def _provenance_of(cls, folder: Path) -> dict[str, Any]:
        """Read a provenance, with the digests in it."""
        path = folder / PROVENANCE
        provenance = _read(path, read_json, cls.WRITTEN_BY)
        _refuse(path, _fault_of_provenance(provenance, {**cls.KEYS, **_ALL_SAY}), cls.WRITTEN_BY)
        if not isinstance(provenance.get(_FILES), dict):
            raise RecordError(f"{path} does not say which tables are its own: {_AGAIN}")
        return dict(provenance)


R = TypeVar("R", bound=Record)
T = TypeVar("T")


def once_per_record(made: Callable[[R], pd.DataFrame]) -> Callable[[R], pd.DataFrame]:
    """Have a table that follows from a record made once, as long as the record is in use.

    The record's own tables are not to be changed afterwards; everybody gets a copy to change.
    """
    tables: WeakKeyDictionary[R, pd.DataFrame] = WeakKeyDictionary()

    @wraps(made)
    def remembered(record: R) -> pd.DataFrame:
        if record not in tables:
            tables[record] = made(record)
        return tables[record].copy()

    return remembered


def read_table(path: Path, table: Table, written_by: str) -> pd.DataFrame:
    """Read a table, columns of their types; raises `RecordError`, naming the file."""

    def reader(path: Path) -> pd.DataFrame:
        found = pd.read_parquet(path)
        _refuse(path, table.fault(found), written_by)
        return found.astype(dict(table.columns))

    return _read(path, reader, written_by)


def read_json(path: Path) -> Any:
    """Read a JSON file; raises ValueError for what is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _read(path: Path, reader: Callable[[Path], T], written_by: str) -> T:
    if not path.is_file():
        raise RecordError(f"{path} is missing: name a folder that {written_by} wrote to its end")
    try:
        return reader(path)
    except RecordError:
        raise
    except Exception as error:  # a damaged file raises whatever its reader stumbles over
        raise RecordError(f"{path} cannot be read: {error}") from error


def _refuse(path: Path, fault: str, written_by: str) -> None:
    if fault:
        raise RecordError(f"{path} {fault}: {_AGAIN}, or name a folder that {written_by} wrote")


def _fault_of_provenance(provenance: Any, keys: Keys) -> str:
    if not isinstance(provenance, dict):
        return "is not a JSON object"
    found = {name: _value(provenance, name) for name in keys}
    missing = [name for name, value in found.items() if value is _MISSING]
    if missing:
        return f"lacks {missing}"
    strange = [name for name, value in found.items() if not isinstance(value, keys[name])]
    return f"has {reprlib.repr(found[strange[0]])} for {strange[0]}" if strange else ""


def _value(provenance: Any, name: str) -> Any:
    for key in name.split("."):
        provenance = provenance.get(key, _MISSING) if isinstance(provenance, dict) else _MISSING
    return provenance


def _finish(folder: Path) -> None:
    """Complete a record whose writer was killed once it was written, where that is allowed."""
    with suppress(OSError):
        finish_writing(folder, PROVENANCE)


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


def _check_digests(folder: Path, digests: Mapping[str, Any], tables: Iterable[str]) -> None:
    """Check that all files of a record are of one run, after they were read."""
    for name in sorted({f"{table}.parquet" for table in tables} | set(digests)):
        if not _is_within(name):
            raise RecordError(f"{folder / PROVENANCE} names {name!r}, which is outside the record")
        with suppress(OSError, ValueError):
            if _digest(folder / name) == digests.get(name):
                continue
        raise RecordError(
            f"{folder / name} is not of the run that its {PROVENANCE} describes: two runs wrote "
            "to the folder, and one was interrupted; measure again"
        )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
