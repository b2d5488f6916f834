"""Atomic writing of files: each is replaced whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def written_whole(folder: Path, last: str) -> Iterator[Path]:
    """Yield a temporary folder; move its files to their destination after all are written.

    Files of the same names are replaced, and a missing destination is made. When writing fails, the
    destination keeps its earlier files. A process that is killed leaves either those or, once all
    files are written, a complete temporary folder: `finish_writing` moves its files.

    The file `last` is moved after all others. It also names the temporary folder, so the next call
    removes the remains of a killed process. Writers of one folder take turns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        finish_writing(folder, last)
        aside = folder / f".{last}.unfinished"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            yield aside
            aside.rename(_complete(folder, last))
            finish_writing(folder, last)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; the system releases it when the process ends.

    Windows has no such lock: there, two writers of one folder at once disturb each other.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def finish_writing(folder: Path, last: str) -> None:
    """Move the files of a complete temporary folder that a killed process left, if there is one.

    Several processes may do so at once: none removes a file, so none can lose one.
    """
    aside = _complete(folder, last)
    if not aside.is_dir():
        return
    written = [path.relative_to(aside) for path in aside.rglob("*") if path.is_file()]
    for path in sorted(written, key=lambda path: (path == Path(last), path)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # another process was first
            (aside / path).replace(folder / path)
    for emptied in sorted([aside, *filter(Path.is_dir, aside.rglob("*"))], reverse=True):
        with suppress(OSError):
            emptied.rmdir()


def _complete(folder: Path, last: str) -> Path:
    return folder / f".{last}.complete"
