"""The run of acceptance tests, from its parts here; `test_connection_blocked` has a real pool."""

from concurrent.futures import Executor, Future
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.acceptance import run as acceptance
from jamlab.measure.acceptance.real_time import REAL_TIME
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import (
    LOOPBACK,
    SIMULATED,
    TESTS,
    AcceptanceError,
    acceptance_tests,
    begin_simulated,
    finished,
    is_usable,
    latency_plan,
    measure_acceptance,
    measure_here,
)
from jamlab.measure.acceptance.sound import LOCAL_CAPTURE, THREE_USERS, TWO_USERS
from jamlab.measure.acceptance.verdicts import acceptance_verdicts
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.statistics import values_needed
from jamlab.process.child import ChildError
from tests.measure.acceptance.runs import good_finding, good_latency, record_with
from tests.measure.latency.records import record_of

BLOCKED, APART = SIMULATED


class Here(Executor):
    """Work at once, in this process."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def simulated(monkeypatch):
    """What is simulated is found at once, and good; one of three networks fails if asked."""
    broken = []

    def network():
        if broken:
            raise OSError("no route\nto anywhere")
        return good_finding(APART)

    found = {BLOCKED: (lambda: good_finding(BLOCKED),), APART: (network, network)}
    monkeypatch.setattr(acceptance, "SIMULATED", found)
    return broken


@pytest.fixture
def workers(monkeypatch):
    """Worker processes that do nothing but say what they were asked."""
    asked = []

    async def measure_in_worker(plan, folder, progress):
        asked.append(plan)
        return good_latency().save(folder) and good_latency()

    async def run_worker(module, task, folder, progress):
        asked.append((module, task))
        findings = [good_finding(test) for test in task if test in REAL_TIME]
        AcceptanceRecord.of_findings(task, findings, failed={}).save(folder)

    monkeypatch.setattr(acceptance, "measure_in_worker", measure_in_worker)
    monkeypatch.setattr(acceptance, "run_worker", run_worker)
    return asked


class TestNames:
    def test_there_are_six_and_each_is_run_somewhere(self):
        assert len(TESTS) == 6
        assert {*REAL_TIME, *SIMULATED, LOOPBACK} == set(TESTS)

    def test_none_are_all(self):
        assert acceptance_tests([]) == TESTS

    @given(st.lists(st.sampled_from(TESTS), min_size=1))
    def test_each_once_in_their_order(self, names):
        chosen = acceptance_tests(names)
        assert set(chosen) == set(names)
        assert list(chosen) == sorted(chosen, key=TESTS.index)

    @given(st.text().filter(lambda name: name not in TESTS))
    def test_an_unknown_one_is_named_beside_those_there_are(self, name):
        with pytest.raises(AcceptanceError, match="there is no acceptance test") as told:
            acceptance_tests([TESTS[0], name])
        assert all(test in str(told.value) for test in TESTS)


class TestLatencyPlan:
    def test_nothing_is_measured_for_who_needs_nothing(self):
        assert latency_plan([LOCAL_CAPTURE, THREE_USERS, *SIMULATED]) is None

    def test_what_is_judged_has_clicks_enough_and_the_rest_is_short(self):
        needed = values_needed(0.95)
        for tests, enough in (([TWO_USERS], (1, 0)), ([LOOPBACK], (0, 1)), (TESTS, (1, 1))):
            plan = latency_plan(tests)
            clicks = [s * plan.bpm / 60 for s in (plan.duration_s, plan.round_trip_s)]
            assert tuple(int(count >= needed) for count in clicks) == enough

    def test_a_verification_s_is_usable_when_it_is_two_by_default(self):
        assert is_usable(good_latency())
        assert not is_usable(record_of(lambda *_: [1.0], lambda *_: [1.0], peers=3))
        for name, value in (("quality", "high quality"), ("block_frames", 256)):
            other = good_latency()
            other.provenance["parameters"][name] = value
            assert not is_usable(other)

    def test_its_length_does_not_matter(self):
        longer = good_latency()
        parameters = replace(LatencyPlan(), duration_s=60.0, settle_s=1.0).to_dict()
        longer.provenance["parameters"] = parameters
        assert is_usable(longer)


class TestHere:
    async def test_one_process_does_all_that_is_real(self, workers, tmp_path):
        latency = good_latency()
        record = await measure_here(TESTS, latency)
        assert [*workers] == [("jamlab.measure.acceptance.real_time", list(TESTS))]
        assert record.latency is latency
        assert set(record.figures["test"]) == set(REAL_TIME)

    async def test_without_a_usable_latency_one_is_measured(self, workers, tmp_path):
        other = record_of(lambda *_: [1.0], lambda *_: [1.0], peers=3)
        record = await measure_here([LOOPBACK], other)
        assert workers == [latency_plan([LOOPBACK])]
        assert record.latency is not other

    async def test_a_latency_nobody_asks_for_is_left_out(self, workers, tmp_path):
        record = await measure_here([LOCAL_CAPTURE], good_latency())
        assert record.latency is None

    async def test_workers_that_die_leave_reasons(self, monkeypatch, tmp_path):
        async def die(*_):
            raise ChildError("the measurement", "ended with status 1: no socket")

        monkeypatch.setattr(acceptance, "measure_in_worker", die)
        monkeypatch.setattr(acceptance, "run_worker", die)
        record = await measure_here(TESTS)
        assert set(record.failed) == {*REAL_TIME, LOOPBACK}
        for verdict in acceptance_verdicts(record):
            assert verdict.verdict == "INCONCLUSIVE"


class TestFinished:
    def test_the_whole_record_is_saved(self, simulated, tmp_path):
        here = record_with(*(good_finding(test) for test in (LOCAL_CAPTURE, BLOCKED, APART)))
        whole = finished(here, begin_simulated(here.tests, Here()), tmp_path)
        assert AcceptanceRecord.load(tmp_path).provenance == whole.provenance
        assert whole.failed == {}

    def test_one_that_raises_is_noted_and_the_others_go_on(self, simulated, tmp_path):
        simulated.append("broken")
        here = AcceptanceRecord.of_findings([BLOCKED, APART], [], failed={})
        whole = finished(here, begin_simulated(here.tests, Here()), tmp_path)
        assert whole.failed == {APART: "OSError: no route to anywhere"}
        assert [v.verdict for v in acceptance_verdicts(whole)] == ["PASS", "INCONCLUSIVE"]

    def test_what_was_not_asked_for_is_not_begun(self, simulated):
        assert [run.test for run in begin_simulated([LOCAL_CAPTURE, APART], Here())] == [APART] * 2

    def test_what_was_left_out_is_not_run(self, tmp_path):
        here = record_with(good_finding(LOCAL_CAPTURE), good_finding(BLOCKED))
        whole = finished(here, None, tmp_path)
        assert set(whole.not_run) == {BLOCKED}
        assert [v.verdict for v in acceptance_verdicts(whole)] == ["PASS", "NOT RUN"]


async def test_all_together(simulated, workers, monkeypatch, tmp_path):
    from contextlib import nullcontext

    monkeypatch.setattr(acceptance, "process_pool", lambda: nullcontext(Here()))
    record = await measure_acceptance(tmp_path)
    assert [verdict.verdict for verdict in acceptance_verdicts(record)] == ["PASS"] * 6
    left_out = await measure_acceptance(tmp_path, simulated=False)
    assert [verdict.verdict for verdict in acceptance_verdicts(left_out)].count("NOT RUN") == 2
