"""A run in a process of its own, so that nothing a notebook does can make it late.

The parent starts ``python -m jamlab.measure.latency.worker FOLDER``, or another module of its kind,
with what to do as JSON on standard input. The worker says how far it is in lines of JSON on
standard output and leaves a record in the folder.
"""

import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.run import measure_latency
from jamlab.measure.processes import Progress, WorkerError, report, run_worker
from jamlab.process.precise_loop import run_precisely


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


def main() -> None:
    """Run the plan on standard input; the worker process' entry."""
    plan = LatencyPlan(**json.load(sys.stdin))
    record = run_precisely(measure_latency(plan, report))
    record.save(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
