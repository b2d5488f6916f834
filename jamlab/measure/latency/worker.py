"""A latency run in a worker process, which a busy notebook does not delay.

The worker is a child process (`jamlab.measure.processes.run_worker`): it receives a plan, reports
its progress, and leaves a record in a folder. All participants are in it, and it is this module; or
each is a process of its own, and the worker is `PROCESS_MESH`.
"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.run import measure_latency
from jamlab.measure.processes import MeasurementError, Progress, report, run_worker
from jamlab.process.parent import ending_with_parent, receive
from jamlab.process.precise_loop import run_precisely
from jamlab.process.temporary_folder import temporary_folder

PROCESS_MESH = "jamlab.measure.process_mesh.run"
"""Module of the worker that has a process for each participant."""


async def measure_in_worker(
    plan: LatencyPlan,
    folder: Path,
    progress: Progress = lambda *_: None,
    outdated: Iterable[Path] = (),
) -> LatencyRecord:
    """Run a plan in a worker process and return its record.

    The outdated record's folders are removed after the measurement and before the new record is
    saved, so that the two never exist together; they come back when it cannot be saved. Raises
    `MeasurementError` before the measurement, when the folder cannot be made or this machine does
    not reach itself; `ChildError`, with the last line of its output, when the worker fails; and
    `RecordError` when the record cannot be written.
    """
    _make(folder)
    with temporary_folder("latency") as aside:
        module = PROCESS_MESH if plan.has_processes else __name__
        await run_worker(module, plan.to_dict(), aside, progress)
        record = LatencyRecord.load(aside)
    with replaced(outdated):
        record.save(folder)
    return record


@contextmanager
def replaced(folders: Iterable[Path]) -> Iterator[None]:
    """Remove folders before the code in the context; they come back when it fails."""
    aside = {each: each.with_name(f".{each.name}.outdated") for each in folders if each.is_dir()}
    for each, away in aside.items():
        shutil.rmtree(away, ignore_errors=True)  # of a run that was killed
        with suppress(OSError):
            each.rename(away)
        shutil.rmtree(each, ignore_errors=True)  # one that cannot be moved
    try:
        yield
    except BaseException:
        for each, away in aside.items():
            with suppress(OSError):
                away.rename(each)
        raise
    for away in aside.values():
        shutil.rmtree(away, ignore_errors=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fault = f"the folder {folder} cannot be made ({error.strerror}): choose another folder"
        raise MeasurementError(fault) from None


def main() -> None:
    """Run the parent's plan; the entry point of the worker process."""
    with ending_with_parent():
        plan, folder = receive()
        record = run_precisely(measure_latency(LatencyPlan(**plan), report))
        record.save(Path(folder))


if __name__ == "__main__":
    main()
