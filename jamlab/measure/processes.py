"""Worker processes and the progress they report, and a pool of processes on all cores.

A worker is a child process (`jamlab.process.child`). Its task comes with the folder for its record,
and its messages report its progress. A busy notebook does not delay it.
"""

import asyncio
import multiprocessing
import os
import reprlib
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from jamlab.measure.reaches_itself import unreachable
from jamlab.process.child import ChildError, child_process
from jamlab.process.parent import send
from jamlab.process.signals import sigterm_unwinds

Progress: TypeAlias = Callable[[float, str], None]
"""Takes the completed share, 0 to 1, and a description of the current step."""

RETELL_S = 0.5
"""Longest time between two calls of a worker's progress."""


@contextmanager
def process_pool() -> Iterator[Executor]:
    """Yield a pool of processes on all cores; cancel pending calls when the context fails.

    The processes are spawned, not forked: the parent may have threads, as a notebook's kernel has.
    Ctrl-C and SIGTERM end the context and the processes at once, and so does the parent's death.
    """
    others = multiprocessing.active_children()
    spawning = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(mp_context=spawning, initializer=_end_with_parent_alone)
    try:
        with sigterm_unwinds():
            yield pool
    except BaseException as error:
        # a second call, without cancel_futures, would revoke the cancelling
        pool.shutdown(wait=False, cancel_futures=True)
        if not isinstance(error, Exception):
            for process in set(multiprocessing.active_children()) - set(others):
                process.terminate()
        raise
    pool.shutdown()


def _end_with_parent_alone() -> None:
    """Leave Ctrl-C, which reaches all processes of a terminal, to the parent; end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_await_parent, daemon=True).start()


def _await_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)


class MeasurementError(RuntimeError):
    """A measurement is impossible here, or a participant is missing; has reason and remedy."""


def check_reachable() -> None:
    """Check that this machine reaches itself over UDP; raises `MeasurementError` if it does not."""
    obstacle = unreachable()
    if obstacle is not None:
        raise MeasurementError(str(obstacle))


async def run_worker(module: str, task: object, folder: Path, progress: Progress) -> None:
    """Run a module as a worker process until it ends.

    The worker receives the task, as JSON types, with the name of the folder for its record. Raises
    `MeasurementError` before the measurement, when this machine does not reach itself, and
    `ChildError`, with the last line of its output, when the worker fails. What the worker reported
    last is repeated every `RETELL_S`, so that a user sees that it is under way.
    """
    await asyncio.to_thread(check_reachable)
    last: tuple[float, str] = 0.0, "starting"

    async def retell() -> None:
        while True:
            await asyncio.sleep(RETELL_S)
            progress(*last)

    async with child_process("the measurement", module, [task, str(folder)]) as worker:
        retelling = asyncio.create_task(retell())
        try:
            while (reported := await worker.receive()) is not None:
                last = _progress(worker.name, reported)
                progress(*last)
        finally:
            retelling.cancel()


def _progress(worker: str, message: object) -> tuple[float, str]:
    """Return the share and the step that a worker reported; raises `ChildError` for neither."""
    match message:
        case [float() | int() as done, str() as doing]:
            return done, doing
    raise ChildError(
        worker,
        f"sent {reprlib.repr(message)} in place of its progress: nothing but jamlab may write to "
        "its standard output",
    )


def report(done: float, doing: str) -> None:
    """Report this worker's progress to its parent."""
    send([done, doing])
