"""Tests of jamlab.measure.rig.verdicts, on records of chosen figures."""

import math

import pytest

from jamlab.measure.rig.verdicts import is_damaged, rig_paths, rig_verdicts, side_by_side
from jamlab.measure.verdict import Outcome
from tests.measure.rig.records import rig_record, steady


def outcomes(record):
    return [verdict.verdict for verdict in rig_verdicts(record)]


@pytest.mark.parametrize(
    ("ms", "outcome"), [(30.0, "PASS"), (80.0, "FAIL"), (49.8, "INCONCLUSIVE")]
)
def test_the_worst_path_decides_on_the_latency(ms, outcome):
    def latency(a, b, *rest):
        return steady(ms if a == "ada" else 10.0)(a, b, *rest)

    latency_, damaged = rig_verdicts(rig_record(latency))
    assert latency_.verdict == outcome
    assert "one-way latency of jamulus from mouth to ear" in latency_.name
    assert damaged.verdict is Outcome.PASS


def damaged_every(many):
    """Every so many-th click is far less like the one that was played."""
    return lambda _a, b, _s, click: (
        0.6 if b == "ben" and click % many == 0 else 0.9 + 0.002 * (click % 5)
    )


def test_damage_is_what_the_other_clicks_of_the_path_do_not_have():
    record = rig_record(steady(30.0), confidence=damaged_every(10))
    rows = is_damaged(record.clicks)
    truth = (record.clicks["receiver"] == "ben") & (record.clicks["click"] % 10 == 0)
    assert (rows == truth).all()
    paths = rig_paths(record).set_index("receiver")
    assert paths["damaged_share"].to_dict() == {"ben": 0.1, "ada": 0.0}
    assert paths["heard_share"].to_dict() == {"ben": 1.0, "ada": 1.0}
    assert outcomes(record) == [Outcome.PASS, Outcome.FAIL]


def test_what_every_click_suffers_is_no_damage():
    """One session went through another codec than the rest."""
    record = rig_record(steady(30.0), confidence=lambda _a, _b, session, _c: 0.5 + 0.2 * session)
    assert not is_damaged(record.clicks).any()


def test_missing_clicks_are_late_and_damaged():
    def lost(a, b, session, click):
        return None if click % 5 == 0 and b == "ben" else steady(30.0)(a, b, session, click)

    record = rig_record(lost)
    assert outcomes(record) == [Outcome.FAIL, Outcome.FAIL]
    paths = rig_paths(record).set_index("receiver")
    assert paths.loc["ben", "heard_share"] == pytest.approx(0.8)
    assert paths.loc["ben", "damaged_share"] == pytest.approx(0.2)
    assert math.isinf(paths.loc["ben", "p95_ms"])


def test_nothing_heard_is_no_crash():
    record = rig_record(lambda *_: None, confidence=lambda *_: 0.1)
    assert outcomes(record) == [Outcome.FAIL, Outcome.FAIL]
    assert side_by_side([record])["damaged_share"].tolist() == [1.0]


def test_damage_that_the_machine_may_have_done_is_not_the_program_s():
    busy = rig_record(
        steady(30.0), confidence=damaged_every(10), punctuality=(11_250, 20, 5, 10, 5.0)
    )
    verdict = rig_verdicts(busy)[1]
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert "in 105 cycles, which may have done it" in verdict.reason
    a_little = rig_record(
        steady(30.0), confidence=damaged_every(10), punctuality=(11_250, 1, 0, 0, 5.0)
    )
    assert outcomes(a_little) == [Outcome.PASS, Outcome.FAIL]


def test_clicks_that_the_machine_may_have_lost_are_not_the_program_s():
    def lost(a, b, session, click):
        return None if click % 5 == 0 else steady(30.0)(a, b, session, click)

    busy = rig_record(lost, punctuality=(11_250, 20, 0, 0, 5.0))
    assert outcomes(busy) == [Outcome.INCONCLUSIVE] * 2
    assert outcomes(rig_record(lost, punctuality=(11_250, 2, 0, 0, 5.0))) == [Outcome.FAIL] * 2


@pytest.mark.parametrize("ms", [30.0, 80.0])
def test_a_busy_machine_settles_nothing_against_a_program(ms):
    record = rig_record(steady(ms), confidence=damaged_every(10), busy=0.97)
    first = Outcome.PASS if ms < 50 else Outcome.INCONCLUSIVE
    assert outcomes(record) == [first, Outcome.INCONCLUSIVE]
    assert (
        "processors were up to 97% busy, which may have done it" in rig_verdicts(record)[1].reason
    )


def test_a_graph_that_stood_still_does_not_count():
    record = rig_record(steady(30.0), punctuality=(11_250, 0, 3, 0, 40.0))
    assert outcomes(record) == [Outcome.INCONCLUSIVE] * 2
    assert "up to 40 ms late (limit 10 ms)" in rig_verdicts(record)[0].reason


def test_systems_stand_side_by_side_the_quickest_first():
    slow = rig_record(steady(60.0), system="slow")
    quick = rig_record(steady(20.0), system="quick", confidence=damaged_every(10))
    table = side_by_side([slow, quick])
    assert table["system"].tolist() == ["quick", "slow"]
    assert table["median_ms"].tolist() == pytest.approx([20.1, 60.1], abs=0.1)
    assert table["damaged_share"].tolist() == [0.1, 0.0]
    assert table["outcome"].tolist() == ["FAIL", "FAIL"]
