"""A log of windows: CSV that grows with each of them, or Parquet that is written at the end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import pandas as pd

from jamlab.measure.latency.plan import PlanError
from jamlab.measure.recording.windows import COLUMNS, Window
from jamlab.process.whole_files import written_whole

SUFFIXES = (".csv", ".parquet")

_DECIMALS = 4  # of a millisecond: far below the error of a reading


class WindowLog:
    """A log that takes one window after another.

    A program may read a CSV at any time: it has whole rows. Parquet can only be read once it is
    closed, so its rows are kept, and the file is written whole at the end, however that comes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault = ""
        """A sentence, once the file could not be written; what was written before stays."""
        self._kept: list[pd.DataFrame] = []
        self._file: FileIO | None = None

    def begin(self) -> None:
        """Write the head of a CSV; raises OSError."""
        if self.path.suffix.lower() == ".csv":
            self._file = self.path.open("wb", buffering=0)
            self._append(pd.DataFrame(columns=[*COLUMNS]), header=True)

    def write(self, window: Window) -> None:
        """Add the rows of a window."""
        rows = window.delays.round(_DECIMALS)
        if self._file is None:
            self._kept.append(rows)
        elif not self.fault and len(rows):
            try:
                self._append(rows, header=False)
            except OSError as error:
                self._fail(error, f"it ends before {window.begin_s:g} s")

    def end(self) -> None:
        """Close a CSV, or write the Parquet file."""
        try:
            if self._file is not None:
                self._file.close()
            elif self.path.suffix.lower() == ".parquet":
                self._write_parquet()
        except OSError as error:
            self._fail(error, "it may lack rows")

    def _append(self, rows: pd.DataFrame, *, header: bool) -> None:
        assert self._file
        said = rows.to_csv(index=False, header=header, lineterminator="\n")
        self._file.write(said.encode())  # at once, so that a reader finds whole rows

    def _write_parquet(self) -> None:
        empty = pd.DataFrame(columns=[*COLUMNS]).astype(COLUMNS)
        filled = [each for each in self._kept if len(each)]
        table = pd.concat(filled, ignore_index=True) if filled else empty
        with written_whole(self.path.parent, self.path.name) as aside:
            table.to_parquet(aside / self.path.name, index=False)

    def _fail(self, error: OSError, state: str) -> None:
        if not self.fault:
            self.fault = f"The log could not be written ({error.strerror or error}): {state}."


@contextmanager
def window_log(path: Path) -> Iterator[WindowLog]:
    """Open a log, and end it whatever happens; raises `PlanError` where it cannot be written."""
    check_log(path)
    log = WindowLog(path)
    try:
        try:
            log.begin()
        except (OSError, ValueError) as error:  # of a name that no file can have
            raise _unwritable(path, getattr(error, "strerror", None) or str(error)) from error
        yield log
    finally:
        log.end()


def check_log(path: Path) -> None:
    """Raise `PlanError` for a log of another format, or in a place that cannot be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise PlanError(f"log is {path}: name a file that ends in {' or '.join(SUFFIXES)}")
    try:
        is_folder, has_folder, is_there = path.is_dir(), path.parent.is_dir(), path.exists()
    except (OSError, ValueError) as error:
        raise _unwritable(path, str(error)) from error
    if is_folder:
        raise _unwritable(path, "it is a folder")
    if is_there or path.is_symlink():
        raise PlanError(f"log {path} is there already: remove it, or name another file")
    if not has_folder:
        raise _unwritable(path, f"there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise _unwritable(path, "you may not write there")


def _unwritable(path: Path, fault: str) -> PlanError:
    return PlanError(f"log {path} cannot be written ({fault}): name a file in another folder")
