"""Temporary folders that are gone in the end, even when the process that made them was killed.

A process holds the lock of a file in each of its folders. A folder of this user that nobody holds
was left by a process that was killed; it is removed when the next one is made, or a command starts.
Windows has no such locks: there, it stays. The folder's own lock is held for a moment only: records
in it are written under that one.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PREFIX, _SUFFIX, _LOCK = "jamlab-", ".tmp", ".lock"
_NAME = re.compile(rf"{_PREFIX}[a-z]+-[a-z0-9_]{{8}}{re.escape(_SUFFIX)}")
"""No folder that a user names, or that keeps a record, has such a name."""


@contextmanager
def temporary_folder(use: str) -> Iterator[Path]:
    """Yield a new folder that only this user can read; remove it at the end.

    `use`, a word in small letters, is part of its name, e.g. ``"browser"``.
    """
    sweep()
    while True:
        made = TemporaryDirectory(_SUFFIX, f"{_PREFIX}{use}-", ignore_cleanup_errors=True)
        with made as name, _held(name) as is_there:
            if is_there:  # otherwise another process took it for one that was left
                yield Path(name)
                return


def sweep() -> None:
    """Remove the folders of this user's processes that were killed."""
    if fcntl is None:
        return
    with suppress(OSError):  # there is no place for temporary files
        for folder in Path(gettempdir()).iterdir():
            if _NAME.fullmatch(folder.name):
                with suppress(OSError):
                    _remove_unless_held(folder)


@contextmanager
def _held(folder: str) -> Iterator[bool]:
    """Hold a new folder's lock; yield whether the folder is still there."""
    if fcntl is None:
        yield True
        return
    try:
        held = _lock(folder)
    except FileNotFoundError:
        yield False
        return
    try:
        yield Path(folder).exists()
    finally:
        os.close(held)


def _lock(folder: str) -> int:
    """Lock the file of a new folder; return its descriptor."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks, where nothing is swept either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        held = os.open(Path(folder, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        with suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_EX)
        return held
    finally:
        os.close(descriptor)


def _remove_unless_held(folder: Path) -> None:
    """Remove a folder; raises OSError when it is held, or is no folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):  # it was killed before it had the lock
                held = os.open(_LOCK, os.O_RDWR | os.O_NOFOLLOW, dir_fd=descriptor)
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                finally:
                    os.close(held)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
