"""A run in a process of its own, so that nothing a notebook does can make it late.

The worker is this module as a child process (`jamlab.measure.processes.run_worker`): it receives a
plan, says how far it is, and leaves a record in a folder.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.run import measure_latency
from jamlab.measure.processes import MeasurementError, Progress, report, run_worker
from jamlab.process.parent import ending_with_parent, receive
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
    MeasurementError
        When nothing can be kept in that folder, or this machine does not reach itself, before
        anything is measured.
    jamlab.process.child.ChildError
        When the worker fails, with the last line it wrote.
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
        raise MeasurementError(fault) from None


def main() -> None:
    """Measure as the parent says; the worker process' entry."""
    with ending_with_parent():
        plan, folder = receive()
        record = run_precisely(measure_latency(LatencyPlan(**plan), report))
        record.save(Path(folder))


if __name__ == "__main__":
    main()
