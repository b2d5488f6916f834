"""Verdicts of acceptance tests: each figure compared with its bound, then one verdict per test.

A figure's verdict is that of its worst subject. A test's verdict is the gravest of its figures',
and the first among equals, so a test's first figure is its main one. `docs/method.md` gives the
reason for each bound.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from jamlab.measure.acceptance import browser_tests as browser
from jamlab.measure.acceptance import connection_blocked as blocked
from jamlab.measure.acceptance import different_networks as apart
from jamlab.measure.acceptance import sound
from jamlab.measure.acceptance.connection_blocked import CONNECTION_BLOCKED
from jamlab.measure.acceptance.different_networks import DIFFERENT_NETWORKS
from jamlab.measure.acceptance.findings import LOOP_LAG
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import LOOPBACK
from jamlab.measure.acceptance.sound import LOCAL_CAPTURE, THREE_USERS, TWO_USERS
from jamlab.measure.across_networks.simulated import ACROSS_TARGET_MS
from jamlab.measure.digits import over
from jamlab.measure.latency.clicks import MIN_HEARD_SHARE
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.measure.latency.verdicts import (
    MAX_LAG_MS,
    MAX_UNDERRUN_SHARE,
    ONE_WAY_TARGET_MS,
    ROUND_TRIP_TARGET_MS,
    late_loop,
    latency_verdict,
)
from jamlab.measure.latency.worst_path import ONE_SESSION
from jamlab.measure.statistics import CONFIDENCE, Estimate
from jamlab.measure.verdict import (
    GRAVITY,
    Outcome,
    Verdict,
    judge_at_least,
    judge_below,
    unmeasured,
)


@dataclass(frozen=True, slots=True)
class Bound:
    """The limit of a figure."""

    figure: str
    limit: float
    unit: str
    at_least: bool = False
    """Whether the figure has to reach the limit; otherwise it has to stay below."""
    note: str = ""
    """A remark that is added to every verdict."""

    def judge(self, row: dict[str, Any], invalid: list[str]) -> Verdict:
        """Return the verdict on one subject's figure."""
        judge = judge_at_least if self.at_least else judge_below
        name = f"{self.figure} ({row['subject']})" if row["subject"] else self.figure
        estimate = Estimate(row["value"], row["low"], row["high"], CONFIDENCE)
        verdict = judge(name, self.limit, estimate, self.unit, invalid)
        return replace(verdict, reason=f"{verdict.reason} {self.note}".rstrip())

    def short_of(self, verdict: Verdict) -> float:
        """Return how far a verdict's value is on the wrong side of the limit."""
        beyond = verdict.value - self.limit
        return -beyond if self.at_least else beyond


MIN_HEARD_PERCENT = 100 * MIN_HEARD_SHARE
"""Target: the least share of clicks heard across networks."""

_DROPOUTS_OF_BROWSERS = Bound(browser.CONCEALED, LatencyPlan().max_concealed_percent, "%")
_DROPOUTS = Bound(sound.CONCEALED, LatencyPlan().max_concealed_percent, "%")

BOUNDS: dict[str, tuple[Bound, ...]] = {
    LOCAL_CAPTURE: (
        Bound(sound.CAPTURED_ERROR, 0.1, "dB"),
        Bound(sound.CAPTURED_SEPARATION, 60.0, "dB", at_least=True),
        Bound(sound.HEARD_SEPARATION, 40.0, "dB", at_least=True),
        Bound(sound.OWN_PLAYBACK, -60.0, "dBFS"),
    ),
    TWO_USERS: (
        Bound(sound.SINAD, 30.0, "dB", at_least=True),
        Bound(sound.SINAD_LOSS, 3.0, "dB"),
        Bound(sound.LEVEL_ERROR, 0.5, "dB"),
        _DROPOUTS,
    ),
    THREE_USERS: (
        Bound(sound.HEARD_BOTH, 100.0, "%", at_least=True),
        Bound(sound.LEVEL_ERROR, 0.5, "dB"),
        _DROPOUTS,
    ),
    CONNECTION_BLOCKED: (
        Bound(blocked.WARNED, 15.0, "s"),
        Bound(blocked.WITHOUT_AUDIO, 60.0, "s"),
        Bound(blocked.OTHERS_HEAR, 100.0, "%", at_least=True),
        Bound(blocked.BLOCKED_HEARS, -60.0, "dBFS"),
        Bound(blocked.PLAYS_ON, 99.0, "%", at_least=True),
        Bound(blocked.UNFORESEEN, 1.0, "errors"),
        Bound(blocked.RECOVERED, 30.0, "s"),
        Bound(blocked.HEARD_AGAIN, 100.0, "%", at_least=True),
    ),
    LOOPBACK: (),
    DIFFERENT_NETWORKS: (
        Bound(apart.LATENCY, ACROSS_TARGET_MS, "ms", note=ONE_SESSION),
        Bound(apart.CONNECTED_AFTER, 30.0, "s"),
        Bound(apart.RELAYED, 99.0, "%", at_least=True),
        Bound(apart.AVOIDABLE, 1.0, "%"),
        Bound(apart.HEARD, MIN_HEARD_PERCENT, "%", at_least=True),
    ),
    browser.MICROPHONE: (
        Bound(browser.CAPTURED_ERROR, 0.5, "dB"),
        Bound(browser.PROCESSED, 1.0, "steps"),
        Bound(browser.ASKED, 100.0, "%", at_least=True),
        Bound(browser.DENIED, 100.0, "%", at_least=True),
        Bound(browser.LISTENS, -40.0, "dBFS", at_least=True),
        Bound(browser.UNFORESEEN, 1.0, "errors"),
    ),
    browser.TWO_BROWSERS: (
        Bound(browser.LATENCY, ONE_WAY_TARGET_MS, "ms"),
        _DROPOUTS_OF_BROWSERS,
        Bound(browser.CONNECTED, 15.0, "s"),
        Bound(browser.METER_ERROR, 1.0, "dB"),
    ),
    browser.THREE_BROWSERS: (
        Bound(browser.HEARD_OTHERS, 100.0, "%", at_least=True),
        Bound(browser.METER_ERROR, 1.0, "dB"),
        Bound(browser.CONNECTED, 15.0, "s"),
    ),
    browser.BLOCKED: (
        Bound(browser.WARNED, 15.0, "s"),
        Bound(browser.WITHOUT_AUDIO, 60.0, "s"),
        Bound(browser.HEARD_OTHERS, 100.0, "%", at_least=True),
        Bound(browser.BLOCKED_HEARS, -60.0, "dBFS"),
        Bound(browser.UNFORESEEN, 1.0, "errors"),
        Bound(browser.RECOVERED, 30.0, "s"),
    ),
    browser.LOOPBACK: (Bound(browser.ROUND_TRIP, ROUND_TRIP_TARGET_MS, "ms"),),
    browser.NETWORKS: (
        Bound(browser.ACROSS, ACROSS_TARGET_MS, "ms", note=ONE_SESSION),
        Bound(browser.PLANNED_ROUTE, 100.0, "%", at_least=True),
        Bound(browser.HEARD, MIN_HEARD_PERCENT, "%", at_least=True),
    ),
}
"""The bounds of each test's figures, without those of the latency record."""

_LATENCIES = {
    TWO_USERS: (ONE_WAY, ONE_WAY_TARGET_MS, "one-way latency"),
    LOOPBACK: (ROUND_TRIP, ROUND_TRIP_TARGET_MS, "round-trip latency"),
}


def acceptance_verdicts(record: AcceptanceRecord) -> list[Verdict]:
    """Return the verdict of each requested test, named after the test."""
    return [verdict_of(record, test) for test in record.tests]


def verdict_of(record: AcceptanceRecord, test: str) -> Verdict:
    """Return a test's verdict: the gravest of its figures', with their count in the reason."""
    called = test.replace("-", " ")
    if test in record.not_run:
        why, remedy = record.not_run[test]
        return unmeasured(called, Outcome.NOT_RUN, f"It was not run, because {why}: {remedy}.")
    judged = figure_verdicts(record, test)
    gravest = max(judged, key=lambda each: GRAVITY[each.verdict])
    alike = sum(each.verdict is gravest.verdict for each in judged)
    reason = gravest.reason
    if len(judged) > 1:
        reason = f"{reason} {_count(gravest.verdict, alike, len(judged))}"
    figure = gravest.name.partition(" (")[0]  # the reason names the subject
    name = called if figure == called else f"{called}: {figure}"
    return replace(gravest, name=name, reason=reason)


def _count(outcome: Outcome, alike: int, judged: int) -> str:
    if outcome is Outcome.PASS:
        return f"All {judged} figures of this test are within their targets."
    return f"Of {judged} figures of this test, {alike} {'is' if alike == 1 else 'are'} {outcome}."


def figure_verdicts(record: AcceptanceRecord, test: str) -> list[Verdict]:
    """Return the verdict of each of a test's figures, after the reason if it was not completed."""
    return list(_figure_verdicts(record, test))


def _figure_verdicts(record: AcceptanceRecord, test: str) -> Iterator[Verdict]:
    if test in record.failed:
        reason = f"The test could not be completed: {record.failed[test]}."
        yield unmeasured(test.replace("-", " "), Outcome.INCONCLUSIVE, reason)
    if test in _LATENCIES:
        yield from _latency_verdict(record, test)
    figures = record.of(test)
    invalid = list(_invalid(figures))
    for bound in BOUNDS[test]:
        rows = figures[figures["figure"] == bound.figure]
        if len(rows):
            yield _worst(bound, rows, invalid)
        elif test not in record.failed:
            yield _lacking(bound.figure)


def _latency_verdict(record: AcceptanceRecord, test: str) -> Iterator[Verdict]:
    measurement, limit_ms, called = _LATENCIES[test]
    if record.latency is not None:
        yield latency_verdict(record.latency, measurement, limit_ms, called)
    elif test not in record.failed:
        yield _lacking(called)


def _lacking(figure: str) -> Verdict:
    return unmeasured(figure, Outcome.INCONCLUSIVE, f"There is no value of {figure} to judge.")


def _worst(bound: Bound, rows: pd.DataFrame, invalid: list[str]) -> Verdict:
    judged = [bound.judge(row, invalid) for row in rows.to_dict("records")]  # type: ignore[arg-type]
    return max(judged, key=lambda each: (GRAVITY[each.verdict], bound.short_of(each)))


def _invalid(figures: pd.DataFrame) -> Iterator[str]:
    """Yield each reason why a test is invalid, as words to follow "because"."""
    lags_ms = figures.loc[figures["figure"] == LOOP_LAG, "value"]
    if len(lags_ms):
        yield from late_loop(lags_ms.max(skipna=False))
    late = figures.loc[figures["figure"] == sound.UNDERRUN, "value"].max()
    if late > 100 * MAX_UNDERRUN_SHARE:
        most = 100 * MAX_UNDERRUN_SHARE
        yield f"{over(late, '%', most)} of a card's blocks came too late (limit {most:g} %)"
    pause_ms = figures.loc[figures["figure"] == browser.PAUSES, "value"].max()
    if pause_ms > MAX_LAG_MS:
        yield f"a page's audio stood still for {pause_ms:.0f} ms (limit {MAX_LAG_MS:g} ms)"
    controls = figures[(figures["figure"] == apart.CONTROL) & (figures["value"] > 0)]
    for case in controls["subject"]:
        yield f"the two participants of {case} connect without the server under test"
