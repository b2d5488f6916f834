"""Records: the results of a measurement on the disk, from which reports are made.

A record is a folder. Its tables are Parquet files with a row per observation; `provenance.json`
states how they were measured. A record contains no verdicts: they are drawn from it anew, by the
rules of the jamlab that reads it.

A record is written to a temporary folder first; then its files take their places, the provenance
last. The provenance has the digests of the others, so files of two runs never form one record.
"""

import hashlib
import json
import math
import reprlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path, PurePath
from tempfile import gettempdir, mkdtemp
from types import UnionType
from typing import Any, ClassVar, Self, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import pandas as pd

from jamlab.measure.table import Table
from jamlab.process.whole_files import finish_writing, written_whole

PROVENANCE = "provenance.json"
"""Name of the file that states how a record was measured, and lists the record's files."""

NUMBER = int | float
"""Type of a number in a provenance."""

Contents: TypeAlias = Mapping[str, "pd.DataFrame | Record"]
"""Tables and records by the names of their files and folders."""

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
    """A folder without a readable record, or a folder that a record cannot be written to."""


class Record:
    """The tables of a measurement and their provenance.

    Each kind of record is a frozen dataclass, compared by identity. It has a field for
    `provenance`, for each of its tables and for each record that is part of it, and declares these
    class variables.
    """

    TABLES: ClassVar[Tables]
    """The tables, by the names of their fields."""
    KEYS: ClassVar[Keys] = {}
    """Types of the provenance's further values; dots separate the levels of a key."""
    PARTS: ClassVar[Mapping[str, type["Record"]]] = {}
    """Kinds of the records that may be part of it, by the names of their fields."""
    WRITTEN_BY: ClassVar[str]
    """The command that writes such records."""

    provenance: dict[str, Any]

    def mismatch(self) -> str:
        """Return a contradiction between tables, as words that follow the folder; "" for none."""
        return ""

    def save(self, folder: Path, beside: Contents | None = None) -> Path:
        """Write the record into a folder, whole or not at all; returns the folder.

        The folder is made if it does not exist; the files of an earlier record in it are removed.
        The contents `beside` the record become files of it. Raises `RecordError` when the record
        cannot be written there. An earlier record then stays, and the new one is written to another
        folder, which the error names.
        """
        try:
            with written_whole(folder, PROVENANCE) as aside:
                earlier = _files(folder)
                self._write(aside, beside or {})
        except OSError as error:
            raise RecordError(
                f"the record cannot be written to {folder} ({error.strerror or error}): make room "
                f"there, or name another folder; {self._kept_elsewhere(beside or {})}"
            ) from error
        for name in earlier - _files(folder):
            with suppress(OSError, ValueError):  # a file that stays is not part of this record
                (folder / name).unlink()
        return folder

    def _kept_elsewhere(self, beside: Contents) -> str:
        """Write the record to another folder; return the end of the sentence that names it."""
        for place in _places():
            with suppress(OSError), _new_folder(place) as folder:
                with written_whole(folder, PROVENANCE) as aside:
                    self._write(aside, beside)
                return f"this one is kept in {folder}, whole"
        return "this one is lost, as no other folder takes it either"

    def _write(self, folder: Path, beside: Contents) -> None:
        """Write the record into an empty folder."""
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
        """Return the tables of a record with such a provenance."""
        return {name: table for name, table in cls.TABLES.items() if table.kept(provenance)}

    @classmethod
    def lies_in(cls, folder: Path) -> bool:
        """Return whether a folder has the first table of this kind of record."""
        _finish(folder)
        return (folder / f"{next(iter(cls.TABLES))}.parquet").is_file()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a record; `RecordError` names a file that is missing, unreadable or invalid."""
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
        """Read a provenance with its digests."""
        path = folder / PROVENANCE
        provenance = _read(path, read_json, cls.WRITTEN_BY)
        _refuse(path, _fault_of_provenance(provenance, {**cls.KEYS, **_ALL_SAY}), cls.WRITTEN_BY)
        if not isinstance(provenance.get(_FILES), dict):
            raise RecordError(f"{path} does not say which tables are its own: {_AGAIN}")
        return dict(provenance)


R = TypeVar("R", bound=Record)
T = TypeVar("T")


def once_per_record(made: Callable[[R], pd.DataFrame]) -> Callable[[R], pd.DataFrame]:
    """Cache a table that is computed from a record for the lifetime of the record.

    The record's tables must not change afterwards. Each call returns a copy.
    """
    tables: WeakKeyDictionary[R, pd.DataFrame] = WeakKeyDictionary()

    @wraps(made)
    def remembered(record: R) -> pd.DataFrame:
        if record not in tables:
            tables[record] = made(record)
        return tables[record].copy()

    return remembered


def read_table(path: Path, table: Table, written_by: str) -> pd.DataFrame:
    """Read a table with its declared column types; a `RecordError` names the file."""

    def reader(path: Path) -> pd.DataFrame:
        found = pd.read_parquet(path)
        _refuse(path, table.fault(found), written_by)
        return found.astype(dict(table.columns))

    return _read(path, reader, written_by)


def read_json(path: Path) -> Any:
    """Read a JSON file; raises ValueError if the content is not JSON."""
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
    except Exception as error:  # readers of damaged files raise errors of any type
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
    strange = [name for name, value in found.items() if not _fits(name, value, keys[name])]
    return f"has {reprlib.repr(found[strange[0]])} for {strange[0]}" if strange else ""


def _fits(name: str, value: Any, kind: type | UnionType) -> bool:
    """Return whether a value has its type; no parameter is NaN or infinite."""
    if isinstance(value, bool) and kind is not bool:  # which Python takes for a number
        return False
    endless = isinstance(value, float) and not math.isfinite(value)
    return isinstance(value, kind) and not (endless and name.startswith("parameters."))


def _value(provenance: Any, name: str) -> Any:
    for key in name.split("."):
        provenance = provenance.get(key, _MISSING) if isinstance(provenance, dict) else _MISSING
    return provenance


def _places() -> Iterator[Path]:
    """Yield folders for a record that its own folder does not take."""
    with suppress(OSError):  # no temporary folder can be written to
        yield Path(gettempdir())
    with suppress(OSError):  # the working folder was removed
        yield Path.cwd()
    with suppress(RuntimeError):  # the user has no home
        yield Path.home()
    yield from (Path("/var/tmp"), Path("/dev/shm"))  # in memory, until the next boot


@contextmanager
def _new_folder(place: Path) -> Iterator[Path]:
    """Yield a new folder in a place; remove it when it cannot be filled."""
    folder = Path(mkdtemp(prefix="jamlab-record-", dir=place))
    try:
        yield folder
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _finish(folder: Path) -> None:
    """Complete a record whose writer was killed while the files took their places."""
    with suppress(OSError):
        finish_writing(folder, PROVENANCE)


def _files(folder: Path) -> set[str]:
    """Return the names of the files of the record in a folder, if there is one."""
    try:
        return set(filter(_is_within, read_json(folder / PROVENANCE)[_FILES]))
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def _is_within(name: str) -> bool:
    """Return whether a file name from a provenance, which is not trusted, is in the folder."""
    path = PurePath(name)
    return not path.is_absolute() and ".." not in path.parts and path.suffix in _SUFFIXES


def _check_digests(folder: Path, digests: Mapping[str, Any], tables: Iterable[str]) -> None:
    """Check that all files of a record, which were read, belong to one run."""
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
