"""The run of the acceptance tests that browsers play, one after the other.

A test that cannot be completed is recorded as such, and the others continue. Without a browser,
or without namespaces where a test needs them, it is recorded why it was not run.
"""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from jamlab.browsers import launch
from jamlab.measure.acceptance.browser_tests import (
    BLOCKED,
    BROWSER_TESTS,
    LOOPBACK,
    MICROPHONE,
    NETWORKS,
    THREE_BROWSERS,
    TWO_BROWSERS,
)
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.real_time import failure_of
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import AcceptanceError
from jamlab.measure.browser.plan import BrowserPlan
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.run import measure_browsers
from jamlab.measure.browser_acceptance import networks
from jamlab.measure.browser_acceptance.blocked import blocked_browser
from jamlab.measure.browser_acceptance.microphone import microphone
from jamlab.measure.browser_acceptance.networks import different_networks
from jamlab.measure.browser_acceptance.sound import loopback, three_browsers, two_browsers
from jamlab.measure.processes import Progress

Work: TypeAlias = Callable[[], Coroutine[Any, Any, Finding]]

CLICKS_S = 12.0
"""Length of the measurement of clicks, all sessions together."""


def browser_acceptance_tests(names: Iterable[str]) -> tuple[str, ...]:
    """Return the tests of some names, each once, in the order of the report; without names, all.

    Raises `AcceptanceError`, which lists the names, when there is no test of a name.

    Examples
    --------
    >>> browser_acceptance_tests(["blocked-browser"])
    ('blocked-browser',)
    """
    wanted = set(names)
    if unknown := sorted(wanted - set(BROWSER_TESTS)):
        raise AcceptanceError(
            f"browsers play no acceptance test {', '.join(unknown)}: "
            f"choose {', '.join(BROWSER_TESTS)}"
        )
    return tuple(test for test in BROWSER_TESTS if test in wanted or not wanted)


@dataclass
class _Clicks:
    """The clicks between two browsers, measured for the tests that need them, once."""

    found: list[BrowserRecord] = field(default_factory=list)

    async def record(self) -> BrowserRecord:
        if not self.found:
            self.found.append(await measure_browsers(BrowserPlan(duration_s=CLICKS_S)))
        return self.found[0]

    async def two(self) -> Finding:
        return await two_browsers(await self.record())

    async def loopback(self) -> Finding:
        return loopback(await self.record())


async def measure_browser_acceptance(
    folder: Path, tests: Sequence[str] = BROWSER_TESTS, progress: Progress = lambda *_: None
) -> AcceptanceRecord:
    """Run acceptance tests played by browsers; return their record.

    After each test the record of those so far is written to a folder.
    """
    clicks = _Clicks()
    works: dict[str, Work] = {
        MICROPHONE: microphone,
        TWO_BROWSERS: clicks.two,
        THREE_BROWSERS: three_browsers,
        BLOCKED: blocked_browser,
        LOOPBACK: clicks.loopback,
        NETWORKS: different_networks,
    }
    findings, failed, not_run = list[Finding](), dict[str, str](), dict[str, tuple[str, str]]()
    for number, test in enumerate(tests):
        progress(number / len(tests), test.replace("-", " "))
        if reason := why_not(test):
            not_run[test] = reason
        else:
            try:
                findings.append(await works[test]())
            except Exception as error:
                failed[test] = failure_of(error)
        done = AcceptanceRecord.of_findings(tests[: number + 1], findings, failed=failed)
        record = done.joined([], {}, not_run=not_run)
        record.save(folder)
    return record


def why_not(test: str) -> tuple[str, str] | None:
    """Return why a test cannot be run on this machine, and the remedy; None if it can."""
    reason = launch.lacking()
    if reason is None and test == NETWORKS:
        reason = networks.lacking()
    if reason is None:
        return None
    why, _, remedy = reason.partition(": ")
    return why, remedy
