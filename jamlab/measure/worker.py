"""A run in a process of its own, so that nothing a notebook does can make it late.

The parent starts ``python -m jamlab.measure.worker FOLDER``, or another module of its kind, with
what to do as JSON on standard input. The worker says how far it is in lines of JSON on standard
output and leaves a record in the folder.
"""

import asyncio
import json
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from jamlab.measure.latency import measure_latency
from jamlab.measure.plan import LatencyPlan
from jamlab.measure.reaches_itself import unreachable
from jamlab.measure.record import LatencyRecord
from jamlab.measure.workers import Progress
from jamlab.process.precise_loop import run_precisely


class WorkerError(RuntimeError):
    """The worker ended without a record."""


async def measure_in_worker(
    plan: LatencyPlan,
    folder: Path,
    progress: Progress = lambda *_: None,
    outdated: Iterable[Path] = (),
) -> LatencyRecord:
    """Run a plan in a worker process and read the record it leaves.

    Parameters
    ----------
    plan : LatencyPlan
        What to do.
    folder : Path
        Where the record goes.
    progress : callable
        Told how far it is, several times a second.
    outdated : iterable of Path
        Folders that belong to an earlier record: removed once this one is measured, before it is
        there, so that nobody ever finds both.

    Raises
    ------
    WorkerError
        When nothing can be kept in that folder, or this machine does not reach itself, before
        anything is measured; when the worker fails, with the last line it wrote.
    RecordError
        When the record cannot be written.
    """
    _make(folder)
    with TemporaryDirectory(prefix="jamlab-") as aside:
        await run_worker(__name__, plan.to_dict(), Path(aside), progress)
        record = LatencyRecord.load(Path(aside))
    for each in outdated:
        shutil.rmtree(each, ignore_errors=True)
    record.save(folder)
    return record


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fault = f"no record can be kept in {folder} ({error.strerror}): choose another folder"
        raise WorkerError(fault) from None


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


def main() -> None:
    """Run the plan on standard input; the worker process' entry."""
    plan = LatencyPlan(**json.load(sys.stdin))
    record = run_precisely(measure_latency(plan, report))
    record.save(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
