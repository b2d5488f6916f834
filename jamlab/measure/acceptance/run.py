"""The product's acceptance tests: which there are, and how they are run.

=========================== =============================== ===================================
test                        where it runs                   what comes from elsewhere
=========================== =============================== ===================================
local-capture               this machine's sockets
two-users-on-one-network    this machine's sockets          one-way latency of a latency record
three-users-at-once         this machine's sockets
connection-blocked          the simulated internet
loopback-round-trip                                         round trip of a latency record
different-networks          the simulated internet
=========================== =============================== ===================================

What runs in real time runs in a process of its own (`jamlab.measure.acceptance.real_time`), one
test after the other; what is simulated runs on any executor. The latency record is the one that a
verification has anyway, when it was measured as these tests have it, and a short run otherwise. A
test that cannot be brought to its end is noted as such, and the others go on.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from jamlab.measure.acceptance import real_time
from jamlab.measure.acceptance.connection_blocked import CONNECTION_BLOCKED, connection_blocked
from jamlab.measure.acceptance.different_networks import (
    CASES,
    DIFFERENT_NETWORKS,
    different_networks,
)
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.real_time import REAL_TIME, failure_of
from jamlab.measure.acceptance.record import LATENCY_FOLDER, AcceptanceRecord
from jamlab.measure.acceptance.sound import LOCAL_CAPTURE, THREE_USERS, TWO_USERS
from jamlab.measure.latency.plan import LEAST_SESSION_S, LatencyPlan
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.worker import measure_in_worker
from jamlab.measure.processes import MeasurementError, Progress, process_pool, run_worker
from jamlab.measure.record import RecordError
from jamlab.process.child import ChildError

LOOPBACK = "loopback-round-trip"
TESTS = (
    LOCAL_CAPTURE,
    TWO_USERS,
    THREE_USERS,
    CONNECTION_BLOCKED,
    LOOPBACK,
    DIFFERENT_NETWORKS,
)
"""Their names, in the order they are reported in."""

SIMULATED: Mapping[str, tuple[Callable[[], Finding], ...]] = {
    CONNECTION_BLOCKED: (connection_blocked,),
    DIFFERENT_NETWORKS: tuple(partial(different_networks, case) for case in CASES),
}
"""What is done for each test on the simulated internet."""

LEFT_OUT = "the simulated internet was left out", "run it without --here-only"

_LATENCY_PARAMETERS = ("peers", "quality", "block_frames", "bpm")


class AcceptanceError(ValueError):
    """Acceptance tests that cannot be run as asked."""


def acceptance_tests(names: Iterable[str]) -> tuple[str, ...]:
    """Return the tests of these names, each once, in the order of `TESTS`; no names are all.

    Raises
    ------
    AcceptanceError
        When there is no such test; lists those there are.

    Examples
    --------
    >>> acceptance_tests(["different-networks", "local-capture"])
    ('local-capture', 'different-networks')
    """
    wanted = set(names)
    unknown = sorted(wanted - set(TESTS))
    if unknown:
        raise AcceptanceError(
            f"there is no acceptance test {', '.join(unknown)}: choose {', '.join(TESTS)}"
        )
    return tuple(test for test in TESTS if test in wanted or not wanted)


def latency_plan(tests: Sequence[str]) -> LatencyPlan | None:
    """Return the shortest latency run that settles what these tests ask of one; None if nothing."""
    one_way, round_trip = TWO_USERS in tests, LOOPBACK in tests
    if not (one_way or round_trip):
        return None
    whole = LatencyPlan()
    return replace(
        whole,
        duration_s=whole.duration_s if one_way else whole.sessions * LEAST_SESSION_S,
        round_trip_s=whole.round_trip_s if round_trip else 0.0,
    )


def is_usable(latency: LatencyRecord) -> bool:
    """Tell whether a latency record was measured as these tests have it: two, by default."""
    default, parameters = LatencyPlan().to_dict(), latency.provenance["parameters"]
    return all(parameters.get(name) == default[name] for name in _LATENCY_PARAMETERS)


async def measure_acceptance(
    folder: Path,
    tests: Sequence[str] = TESTS,
    *,
    latency: LatencyRecord | None = None,
    simulated: bool = True,
    progress: Progress = lambda *_: None,
) -> AcceptanceRecord:
    """Run acceptance tests and leave a record of them in a folder.

    Parameters
    ----------
    folder : Path
        Where the record goes.
    tests : sequence of str
        Which of `TESTS`.
    latency : LatencyRecord, optional
        A run of this machine's; see `is_usable`.
    simulated : bool
        Whether those on the simulated internet are run.
    progress : callable
        Told how far it is.
    """
    here = await measure_here(tests, latency, progress)
    if not simulated:
        return finished(here, None, folder)
    progress(0.5, "acceptance tests")
    with process_pool() as pool:
        runs = begin_simulated(tests, pool)
        futures = (asyncio.wrap_future(run.future) for run in runs)
        await asyncio.gather(*futures, return_exceptions=True)
        return finished(here, runs, folder)


async def measure_here(
    tests: Sequence[str] = TESTS,
    latency: LatencyRecord | None = None,
    progress: Progress = lambda *_: None,
) -> AcceptanceRecord:
    """Run what these tests do in real time; parameters as of `measure_acceptance`.

    Returns
    -------
    AcceptanceRecord
        Not yet a whole one, so it is in no folder: see `finished`.
    """
    with TemporaryDirectory(prefix="jamlab-") as name:
        folder = Path(name)
        latency, failed = await _latency(folder / LATENCY_FOLDER, tests, latency, progress)
        here = await _real_time(folder, tests, progress)
    return here.joined([], failed, latency=latency)


async def _real_time(folder: Path, tests: Sequence[str], progress: Progress) -> AcceptanceRecord:
    here = [test for test in tests if test in REAL_TIME]
    if not here:
        return AcceptanceRecord.of_findings(tests, [], failed={})
    try:
        await run_worker(real_time.__name__, list(tests), folder, progress)
        return AcceptanceRecord.load(folder)
    except (ChildError, MeasurementError, RecordError) as error:
        return AcceptanceRecord.of_findings(tests, [], failed=dict.fromkeys(here, str(error)))


async def _latency(
    folder: Path, tests: Sequence[str], latency: LatencyRecord | None, progress: Progress
) -> tuple[LatencyRecord | None, dict[str, str]]:
    """Return the latency record of these tests, and which of them lack it, and why."""
    plan = latency_plan(tests)
    if plan is None or (latency is not None and is_usable(latency)):
        return (latency if plan else None), {}
    try:
        return await measure_in_worker(plan, folder, progress), {}
    except (ChildError, MeasurementError, RecordError) as error:
        return None, {test: str(error) for test in tests if test in (TWO_USERS, LOOPBACK)}


@dataclass(frozen=True)
class Run:
    """Something under way for a test."""

    test: str
    future: Future[Finding]


def begin_simulated(tests: Sequence[str], executor: Executor) -> list[Run]:
    """Have an executor run what these tests do on the simulated internet."""
    return [
        Run(test, executor.submit(work))
        for test in tests
        if test in SIMULATED
        for work in SIMULATED[test]
    ]


def finished(here: AcceptanceRecord, runs: Iterable[Run] | None, folder: Path) -> AcceptanceRecord:
    """Wait for what is simulated, and leave the whole record in a folder.

    Parameters
    ----------
    here : AcceptanceRecord
        What was run in real time.
    runs : iterable of Run, optional
        What is under way; None when it was left out.
    folder : Path
        Where the record goes.
    """
    findings: list[Finding] = []
    failed: dict[str, str] = {}
    for run in runs or ():
        error = run.future.exception()
        if error is None:
            findings.append(run.future.result())
        else:
            failed[run.test] = failure_of(error)
    left_out = {} if runs is not None else {t: LEFT_OUT for t in here.tests if t in SIMULATED}
    whole = here.joined(findings, failed, not_run=left_out)
    whole.save(folder)
    return whole
