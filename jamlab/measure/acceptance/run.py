"""The list of the product's acceptance tests, and their run.

=========================== =============================== ===================================
test                        where it runs                   figure of a latency record
=========================== =============================== ===================================
local-capture               this machine's sockets
two-users-on-one-network    this machine's sockets          one-way latency
three-users-at-once         this machine's sockets
connection-blocked          the simulated internet
loopback-round-trip                                         round-trip latency
different-networks          the simulated internet
=========================== =============================== ===================================

Real-time tests run one after the other in a process of their own
(`jamlab.measure.acceptance.real_time`); simulated ones run on any executor. The latency record is
that of the verification, if its plan fits these tests, or else that of a short run. A test that
cannot be completed is recorded as such, and the others continue.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

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
from jamlab.process.temporary_folder import temporary_folder

LOOPBACK = "loopback-round-trip"
TESTS = (
    LOCAL_CAPTURE,
    TWO_USERS,
    THREE_USERS,
    CONNECTION_BLOCKED,
    LOOPBACK,
    DIFFERENT_NETWORKS,
)
"""Names of the tests, in the order of the report."""

SIMULATED: Mapping[str, tuple[Callable[[], Finding], ...]] = {
    CONNECTION_BLOCKED: (connection_blocked,),
    DIFFERENT_NETWORKS: tuple(partial(different_networks, case) for case in CASES),
}
"""The simulated runs of each test."""

LEFT_OUT = "the simulated internet was left out", "run it without --here-only"

_LATENCY_PARAMETERS = ("peers", "quality", "block_frames", "bpm")


class AcceptanceError(ValueError):
    """Raised for a request of acceptance tests that cannot be run."""


def acceptance_tests(names: Iterable[str]) -> tuple[str, ...]:
    """Return the tests of some names, each once, in the order of `TESTS`; without names, all.

    Raises `AcceptanceError`, which lists the names, when there is no test of a name.

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
    """Return the shortest latency run that these tests need; None if they need none."""
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
    """Return whether a latency record fits these tests: two participants, defaults otherwise."""
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
    """Run acceptance tests and write their record to a folder.

    The latency record is of a run on this machine; if it is missing or not `is_usable`, a short run
    is made. Without `simulated`, the tests on the simulated internet are left out.
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
    """Run the real-time parts of acceptance tests; parameters are those of `measure_acceptance`.

    The record is incomplete, so it is not in a folder yet: see `finished`.
    """
    with temporary_folder("acceptance") as folder:
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
    """Return the latency record for these tests, and the tests without it with the reason."""
    plan = latency_plan(tests)
    if plan is None or (latency is not None and is_usable(latency)):
        return (latency if plan else None), {}
    try:
        return await measure_in_worker(plan, folder, progress), {}
    except (ChildError, MeasurementError, RecordError) as error:
        return None, {test: str(error) for test in tests if test in (TWO_USERS, LOOPBACK)}


@dataclass(frozen=True)
class Run:
    """A simulated run of a test, under way."""

    test: str
    future: Future[Finding]


def begin_simulated(tests: Sequence[str], executor: Executor) -> list[Run]:
    """Start the simulated runs of these tests on an executor."""
    return [
        Run(test, executor.submit(work))
        for test in tests
        if test in SIMULATED
        for work in SIMULATED[test]
    ]


def finished(here: AcceptanceRecord, runs: Iterable[Run] | None, folder: Path) -> AcceptanceRecord:
    """Wait for the simulated runs, None if left out, and write the complete record to a folder."""
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
