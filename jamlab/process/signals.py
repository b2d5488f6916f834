"""Signals that end a process: they wait, run the clean-up code, or call a function.

SIGHUP, which comes when a terminal is closed, ends a process as SIGTERM does. It does not exist on
Windows, and ``nohup`` has it ignored; what is ignored stays ignored.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

ENDING = tuple(each for each in signal.Signals if each.name in ("SIGTERM", "SIGHUP"))
"""The signals by which others end a process; Ctrl-C is SIGINT."""


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Hold Ctrl-C, SIGTERM and SIGHUP back until the end of the block.

    Python handles signals in the main thread alone, so in any other thread this does nothing.
    """
    came: list[int] = []
    try:
        with _handled((signal.SIGINT, *ENDING), lambda number, _: came.append(number)):
            yield
    finally:
        for number in came:
            signal.raise_signal(number)


@contextlib.contextmanager
def sigterm_unwinds() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise `SystemExit` in the block, unless the program handles them.

    Further ones are ignored: ``timeout`` sends one to the program and one to its process group, and
    the second would interrupt the clean-up.
    """
    with _handled((each for each in ENDING if _is(each, signal.SIG_DFL)), _exit):
        yield


def run_until_sigterm(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as ``asyncio.run`` does; SIGTERM and SIGHUP cancel it as Ctrl-C does.

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

        with _handled(_not_ignored(ENDING), cancel):
            return await work

    try:
        return asyncio.run(cancelled_by_sigterm())
    except asyncio.CancelledError:
        if not came:
            raise
        raise SystemExit(128 + came[0]) from None


@contextlib.contextmanager
def on_signals(numbers: Iterable[signal.Signals], called: Callable[[], object]) -> Iterator[None]:
    """Have the running event loop call a function at each of these signals inside the block."""
    loop = asyncio.get_running_loop()
    with _handled(_not_ignored(numbers), lambda *_: loop.call_soon_threadsafe(called)):
        yield


@contextlib.contextmanager
def instead_of_ctrl_c(called: Callable[[], object]) -> Iterator[None]:
    """Have Ctrl-C call a function inside the block, which goes on; outside the main thread nothing.

    Ctrl-C that is ignored stays ignored.
    """
    with _handled(_not_ignored([signal.SIGINT]), lambda *_: called()):
        yield


def _not_ignored(numbers: Iterable[signal.Signals]) -> Iterator[signal.Signals]:
    return (each for each in numbers if not _is(each, signal.SIG_IGN))


def _is(number: signal.Signals, handler: Any) -> bool:
    return signal.getsignal(number) is handler


def _exit(number: int, _: FrameType | None) -> None:
    for each in ENDING:
        if _is(each, _exit):
            signal.signal(each, lambda *_: None)
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _handled(numbers: Iterable[signal.Signals], handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
