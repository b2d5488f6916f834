"""Postponement of SIGINT and SIGTERM, and a SIGTERM that runs the clean-up code."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the end of the block.

    Python handles signals in the main thread alone, so in any other thread this does nothing.
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
    """Make SIGTERM raise `SystemExit` inside the block, unless the program has its own handler.

    Further SIGTERMs are ignored: ``timeout`` sends one to the program and one to its process group,
    and the second would interrupt the clean-up.
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
