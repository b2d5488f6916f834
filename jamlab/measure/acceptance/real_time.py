"""The worker process that runs the acceptance tests in real time.

Each test has an event loop of its own, and the others run even if one fails. See also
`jamlab.measure.latency.worker`.
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


def run_here(tests: Sequence[str], progress: Progress) -> AcceptanceRecord:
    """Run the real-time tests among some acceptance tests, one after the other."""
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
    """Return an error's type and message in a line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def main() -> None:
    """Run the tests that the parent names; the entry point of the worker process."""
    with ending_with_parent():
        tests, folder = receive()
        run_here(tests, report).save(Path(folder))


if __name__ == "__main__":
    main()
