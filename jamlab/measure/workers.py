"""Who does the work of a run, and who is told how far it is."""

import asyncio
import json
import multiprocessing
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from jamlab.measure.reaches_itself import unreachable
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


class WorkerError(RuntimeError):
    """The worker ended without a record."""


def check_reachable() -> None:
    """Refuse to measure on a machine that does not reach itself over UDP.

    Raises
    ------
    WorkerError
        Says why it does not, and what to do.
    """
    obstacle = unreachable()
    if obstacle is not None:
        raise WorkerError(str(obstacle))


async def run_worker(module: str, task: object, folder: Path, progress: Progress) -> None:
    """Run a module as a worker process, to its end.

    Parameters
    ----------
    module : str
        Its name.
    task : object
        What to do, for JSON.
    folder : Path
        Where the worker leaves its record.
    progress : callable
        Told how far it is, whenever the worker says so.

    Raises
    ------
    WorkerError
        When this machine does not reach itself, before anything is measured; when the worker
        fails, with the last line it wrote.
    """
    await asyncio.to_thread(check_reachable)
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, str(folder), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        errors = await _attend(worker, task, progress)
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    if worker.returncode != 0:
        last = (errors.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise WorkerError(f"the measuring process ended with {worker.returncode}: {last}")


async def _attend(worker: Process, task: object, progress: Progress) -> bytes:
    """Give the worker its task, pass its progress on; returns what it wrote to standard error."""
    assert worker.stdin
    assert worker.stdout
    assert worker.stderr
    reading_errors = asyncio.create_task(worker.stderr.read())
    try:
        worker.stdin.write(json.dumps(task).encode())
        worker.stdin.close()
        async for line in worker.stdout:
            progress(*json.loads(line))
        await worker.wait()
        return await reading_errors
    finally:
        reading_errors.cancel()


def report(done: float, doing: str) -> None:
    """Tell the parent how far this worker is."""
    print(json.dumps([done, doing]), flush=True)
