"""Acceptance tests in real time, in a process of their own; see `jamlab.measure.latency.worker`.

Each has a loop of its own, and one that fails does not keep the others from running.
"""

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.sound import (
    LOCAL_CAPTURE,
    THREE_USERS,
    TWO_USERS,
    local_capture,
    three_users,
    two_users,
)
from jamlab.measure.processes import Progress, report
from jamlab.process.parent import ending_with_parent, receive
from jamlab.process.precise_loop import run_precisely

RealTimeTest: TypeAlias = Callable[[], Coroutine[Any, Any, Finding]]

REAL_TIME: dict[str, RealTimeTest] = {
    LOCAL_CAPTURE: local_capture,
    TWO_USERS: two_users,
    THREE_USERS: three_users,
}
"""The tests by their names."""


def run_here(tests: Sequence[str], progress: Progress) -> AcceptanceRecord:
    """Run those of some acceptance tests that are run in real time, one after the other.

    Parameters
    ----------
    tests : sequence of str
        Which ones were asked for, others among them.
    progress : callable
        Told which one begins.
    """
    findings: list[Finding] = []
    failed: dict[str, str] = {}
    here = [test for test in tests if test in REAL_TIME]
    for number, test in enumerate(here):
        progress(number / len(here), test)
        try:
            findings.append(run_precisely(REAL_TIME[test]()))
        except Exception as error:
            failed[test] = failure_of(error)
    return AcceptanceRecord.of_findings(tests, findings, failed=failed)


def failure_of(error: BaseException) -> str:
    """Say in a line what an error was about."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def main() -> None:
    """Run the tests that the parent names; the worker process' entry."""
    with ending_with_parent():
        tests, folder = receive()
        run_here(tests, report).save(Path(folder))


if __name__ == "__main__":
    main()
