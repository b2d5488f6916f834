"""A recording that arrives while it is read: standard input, or a FIFO.

It is read once and in order; nothing in it can be sought. Ctrl-C ends it, as its writer may do, and
what came before counts.
"""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STANDARD_INPUT = Path("-")

_WAIT_S = 0.25  # after which a reader that waits sees that the pipe was ended


class Pipe:
    """The bytes of a pipe, for a decoder that may read and do nothing else."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ended = False
        self._interruption: BaseException | None = None
        self.is_empty = True
        """Whether nothing has come so far."""

    def read(self, size: int) -> bytes:
        """Return at least one byte as soon as there is one; none at the end."""
        try:
            while not self._ended:
                if self._has_come():
                    content = os.read(self._descriptor, size)
                    self.is_empty &= not content
                    return content
        except (KeyboardInterrupt, SystemExit) as interruption:  # PyAV would drop it
            self._interruption, self._ended = interruption, True
        return b""

    def raise_interruption(self) -> None:
        """Raise what came by a signal while the decoder was reading."""
        if self._interruption is not None:
            raise self._interruption

    def end(self) -> None:
        """Let the recording end here; a signal handler may call it."""
        self._ended = True

    def _has_come(self) -> bool:
        if sys.platform == "win32":  # which selects among sockets only
            return True
        return bool(select.select([self._descriptor], [], [], _WAIT_S)[0])


def is_pipe(path: Path) -> bool:
    """Return whether a path names standard input or a FIFO."""
    with suppress(OSError, ValueError):
        return path == STANDARD_INPUT or path.is_fifo()
    return False


@contextmanager
def opened_pipe(path: Path) -> Iterator[Pipe]:
    """Open a pipe; of a FIFO, wait for its writer. Raises OSError."""
    if path == STANDARD_INPUT:
        if sys.stdin is None or sys.stdin.isatty():
            raise OSError("it is a terminal or closed, and not a pipe")
        yield Pipe(sys.stdin.fileno())
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield Pipe(descriptor)
    finally:
        os.close(descriptor)
