"""Ctrl-C and SIGTERM around what has to be built and removed as a whole."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Keep Ctrl-C and SIGTERM until the end of the block; on any but the main thread do nothing.

    Only the main thread is ever interrupted by them.
    """
    came: list[int] = []
    try:
        with _handled(_SIGNALS, lambda number, _: came.append(number)):
            yield
    finally:
        for number in came:
            signal.raise_signal(number)


@contextlib.contextmanager
def sigterm_unwinds() -> Iterator[None]:
    """Have SIGTERM leave the block by `SystemExit`, unless the program handles it otherwise.

    Those that follow the first change nothing: ``timeout`` sends it twice, to the program and to
    its process group, and the second would cut off the clean-up.
    """
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    with _handled((signal.SIGTERM,), _exit):
        yield


def _exit(number: int, _: FrameType | None) -> None:
    signal.signal(number, lambda *_: None)
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _handled(numbers: tuple[signal.Signals, ...], handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
