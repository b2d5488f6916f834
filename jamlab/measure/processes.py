"""A pool of processes on all cores, and worker processes that measure on their own.

A worker is a child process (`jamlab.process.child`) whose task comes with the folder for its
record, and whose messages say how far it is: nothing that a notebook does can make it late.
"""

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from jamlab.measure.reaches_itself import unreachable
from jamlab.process.child import child_process
from jamlab.process.parent import send
from jamlab.process.signals import sigterm_unwinds

Progress: TypeAlias = Callable[[float, str], None]
"""Takes the share done, 0 to 1, and what is being done."""


@contextmanager
def process_pool() -> Iterator[Executor]:
    """Yield a process on every core; what is not begun is given up when the context fails.

    They are spawned, not forked: the parent may have threads, as a notebook's kernel has. SIGTERM
    ends the context, too, or they would outlive who was to wait for them.
    """
    pool = ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))
    try:
        with sigterm_unwinds():
            yield pool
    except BaseException:
        # once: a second time would take it back that futures are to be cancelled
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


class MeasurementError(RuntimeError):
    """Nothing can be measured here, or somebody took no part; says why, and what to do."""


def check_reachable() -> None:
    """Refuse to measure on a machine that does not reach itself over UDP.

    Raises
    ------
    MeasurementError
        Says why it does not, and what to do.
    """
    obstacle = unreachable()
    if obstacle is not None:
        raise MeasurementError(str(obstacle))


async def run_worker(module: str, task: object, folder: Path, progress: Progress) -> None:
    """Run a module as a worker process, to its end.

    Parameters
    ----------
    module : str
        Its name.
    task : object
        What to do, for JSON; the worker receives it with the folder's name.
    folder : Path
        Where the worker leaves its record.
    progress : callable
        Told how far it is, whenever the worker says so.

    Raises
    ------
    MeasurementError
        When this machine does not reach itself, before anything is measured.
    jamlab.process.child.ChildError
        When the worker fails, with the last line it wrote.
    """
    await asyncio.to_thread(check_reachable)
    async with child_process("the measurement", module, [task, str(folder)]) as worker:
        while (told := await worker.receive()) is not None:
            progress(*told)


def report(done: float, doing: str) -> None:
    """Tell the parent how far this worker is."""
    send([done, doing])
