"""Postponement of SIGINT and SIGTERM, and a SIGTERM that runs the clean-up code."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Coroutine, Iterator
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

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


def run_until_sigterm(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as ``asyncio.run`` does; SIGTERM cancels it as Ctrl-C does.

    It has then cleaned up before `SystemExit` is raised: raised amid the event loop, `SystemExit`
    would cancel all tasks at once, those with which the coroutine cleans up among them.
    """
    came = list[int]()

    async def cancelled_by_sigterm() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task

        def cancel(number: int, _: FrameType | None) -> None:
            if not came:
                loop.call_soon_threadsafe(task.cancel)
            came.append(number)

        with _handled((signal.SIGTERM,), cancel):
            return await work

    try:
        return asyncio.run(cancelled_by_sigterm())
    except asyncio.CancelledError:
        if not came:
            raise
        raise SystemExit(128 + came[0]) from None


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
