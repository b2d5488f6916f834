"""Verdicts of acceptance tests on made-up findings: each bound, from both sides."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.acceptance import different_networks as apart
from jamlab.measure.acceptance import sound
from jamlab.measure.acceptance.browser_tests import BROWSER_TESTS
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import LEFT_OUT, LOOPBACK, TESTS
from jamlab.measure.acceptance.sound import LOCAL_CAPTURE, THREE_USERS, TWO_USERS
from jamlab.measure.acceptance.verdicts import (
    BOUNDS,
    acceptance_verdicts,
    figure_verdicts,
    verdict_of,
)
from jamlab.measure.verdict import Outcome
from tests.examples import examples
from tests.measure.acceptance.runs import good_finding, record_with, whole_record
from tests.measure.latency.records import LAG, record_of

EVERY_BOUND = [(test, bound) for test, bounds in BOUNDS.items() for bound in bounds]
IDS = [f"{test}: {bound.figure}" for test, bound in EVERY_BOUND]


def with_figure(test, figure, value):
    """A good finding of a test, but for one subject's figure."""
    finding = good_finding(test)
    finding.note(figure, "somebody else", value)
    return finding


def test_good_findings_pass():
    judged = acceptance_verdicts(whole_record(TESTS))
    assert [verdict.verdict for verdict in judged] == [Outcome.PASS] * 6
    assert [verdict.name.split(":")[0] for verdict in judged] == [
        t.replace("-", " ") for t in TESTS
    ]


def test_every_test_has_something_to_judge():
    assert set(BOUNDS) == {*TESTS, *BROWSER_TESTS}
    record = whole_record(TESTS)
    assert all(figure_verdicts(record, test) for test in TESTS)


class TestBounds:
    @pytest.mark.parametrize(("test", "bound"), EVERY_BOUND, ids=IDS)
    def test_one_subject_beyond_a_bound_fails_the_test_and_is_named(self, test, bound):
        beyond = bound.limit + (-0.1 if bound.at_least else 0.1)
        record = record_with(with_figure(test, bound.figure, beyond))
        verdict = verdict_of(record, test)
        assert verdict.verdict is Outcome.FAIL
        assert verdict.name == f"{test.replace('-', ' ')}: {bound.figure}"
        assert "somebody else" in verdict.reason
        assert verdict.value == pytest.approx(beyond)
        outcomes = [each.verdict for each in figure_verdicts(record, test)]
        assert outcomes.count(Outcome.FAIL) == 1

    @pytest.mark.parametrize(("test", "bound"), EVERY_BOUND, ids=IDS)
    def test_the_limit_itself_is_met_only_where_it_has_to_be_reached(self, test, bound):
        record = record_with(with_figure(test, bound.figure, bound.limit))
        met = bound.at_least
        assert verdict_of(record, test).verdict is (Outcome.PASS if met else Outcome.FAIL)

    @examples(20)
    @given(st.lists(st.integers(-1000, 1000).map(lambda n: n / 100), min_size=1, max_size=6))
    def test_the_worst_subject_decides(self, levels_db):
        finding = Finding(LOCAL_CAPTURE)
        for number, level_db in enumerate(levels_db):
            finding.note(sound.CAPTURED_ERROR, str(number), level_db)
        first = figure_verdicts(record_with(finding), LOCAL_CAPTURE)[0]
        assert first.value == max(levels_db)
        assert (first.verdict is Outcome.PASS) == (max(levels_db) < 0.1)


class TestValidity:
    @pytest.mark.parametrize("test", [LOCAL_CAPTURE, TWO_USERS, THREE_USERS])
    def test_a_loop_that_lagged_settles_nothing(self, test):
        record = record_with(good_finding(test, lag_ms=10.1))
        verdict = verdict_of(record, test)
        assert verdict.verdict is Outcome.INCONCLUSIVE
        assert "10.1 ms late" in verdict.reason

    def test_not_even_that_something_is_bad(self):
        finding = good_finding(THREE_USERS, lag_ms=50.0)
        finding.note(sound.HEARD_BOTH, "player 3", 0.0)
        assert verdict_of(record_with(finding), THREE_USERS).verdict is Outcome.INCONCLUSIVE

    def test_a_card_that_was_served_too_late_settles_nothing(self):
        finding = good_finding(TWO_USERS)
        finding.note(sound.UNDERRUN, "player 1 → player 2", 2.5)
        verdict = verdict_of(record_with(finding), TWO_USERS)
        assert verdict.verdict is Outcome.INCONCLUSIVE
        assert "2.50 % of a card's blocks came too late (limit 2 %)" in verdict.reason

    def test_a_control_that_connects_settles_nothing(self):
        finding = good_finding(apart.DIFFERENT_NETWORKS)
        finding.note(apart.CONTROL, "home to home", 1.0)
        verdict = verdict_of(record_with(finding), apart.DIFFERENT_NETWORKS)
        assert verdict.verdict is Outcome.INCONCLUSIVE
        assert "home to home" in verdict.reason

    def test_a_figure_that_is_not_there_settles_nothing(self):
        finding = Finding(LOCAL_CAPTURE)
        finding.note(sound.CAPTURED_ERROR, "left", 0.0)
        verdict = verdict_of(record_with(finding), LOCAL_CAPTURE)
        assert verdict.verdict is Outcome.INCONCLUSIVE
        assert math.isnan(verdict.value)


class TestLatency:
    def record(self, one_way_ms, round_trip_ms, **options):
        latency = record_of(
            lambda *_: [one_way_ms] * 90, lambda *_: [round_trip_ms] * 90, **options
        )
        return whole_record((TWO_USERS, LOOPBACK)).joined([], {}, latency=latency)

    @pytest.mark.parametrize(
        ("one_way_ms", "round_trip_ms", "outcomes"),
        [(49, 99, "PASS PASS"), (51, 99, "FAIL PASS"), (49, 101, "PASS FAIL")],
    )
    def test_the_targets_are_50_and_100_ms(self, one_way_ms, round_trip_ms, outcomes):
        judged = acceptance_verdicts(self.record(one_way_ms, round_trip_ms))
        assert " ".join(verdict.verdict for verdict in judged) == outcomes

    @pytest.mark.parametrize("p99_ms", [12.0, math.nan])
    def test_a_run_that_lagged_settles_nothing(self, p99_ms):
        record = self.record(11, 23, lag=LAG | {"p99_ms": p99_ms})
        assert [v.verdict for v in acceptance_verdicts(record)] == [Outcome.INCONCLUSIVE] * 2

    def test_a_test_without_its_latency_is_not_passed(self):
        record = AcceptanceRecord.of_findings([LOOPBACK, TWO_USERS], [], failed={})
        for test in record.tests:
            verdict = verdict_of(record, test)
            assert verdict.verdict is Outcome.INCONCLUSIVE
            assert "latency" in verdict.reason


class TestOtherEnds:
    def test_what_was_not_run_says_why_and_what_to_do(self):
        record = record_with(Finding("connection-blocked"))
        record = record.joined([], {}, not_run={"connection-blocked": LEFT_OUT})
        (verdict,) = acceptance_verdicts(record)
        assert verdict.verdict is Outcome.NOT_RUN
        assert verdict.name == "connection blocked"
        assert "simulated internet" in verdict.reason
        assert "--here-only" in verdict.reason

    def test_what_failed_says_so_and_is_not_passed(self):
        record = record_with(Finding(THREE_USERS), failed={THREE_USERS: "OSError: no"})
        verdict = verdict_of(record, THREE_USERS)
        assert verdict.verdict is Outcome.INCONCLUSIVE
        assert "OSError: no" in verdict.reason

    def test_what_half_of_a_test_found_may_fail_it_nevertheless(self):
        finding = with_figure(apart.DIFFERENT_NETWORKS, apart.CONNECTED_AFTER, 60.0)
        record = record_with(finding, failed={apart.DIFFERENT_NETWORKS: "it rained"})
        verdict = verdict_of(record, apart.DIFFERENT_NETWORKS)
        assert verdict.verdict is Outcome.FAIL

    def test_the_reason_says_how_many_figures_are_alike(self):
        record = whole_record(TESTS)
        assert "All 4 figures" in verdict_of(record, LOCAL_CAPTURE).reason
        bad = record_with(with_figure(LOCAL_CAPTURE, sound.CAPTURED_ERROR, 3.0))
        assert "Of 4 figures of this test, 1 is FAIL." in verdict_of(bad, LOCAL_CAPTURE).reason
