"""Tables and verdicts from records whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.latency import ONE_WAY, ROUND_TRIP
from jamlab.measure.stages import STAGES
from jamlab.measure.summary import floor_ms, paths_table, verdicts, waterfall
from jamlab.measure.verdict import Outcome
from tests.examples import examples

from .records import LAG, STAGES_MS, record_of


def around(centre, spread=0.1, n=100):
    return lambda a, b: list(centre + spread * np.sin(np.arange(n) * 2.4))


def outcomes(record):
    return [verdict.verdict for verdict in verdicts(record)]


def test_fast_enough_passes():
    assert outcomes(record_of(around(11), around(24))) == [Outcome.PASS, Outcome.PASS]


def test_too_slow_fails():
    assert outcomes(record_of(around(60), around(120))) == [Outcome.FAIL, Outcome.FAIL]


def test_on_the_target_is_inconclusive():
    def with_p95_at(target):
        noise = np.random.default_rng(1).normal(size=200)
        return lambda a, b: list(target + noise - np.quantile(noise, 0.95))

    assert outcomes(record_of(with_p95_at(50), with_p95_at(100))) == [Outcome.INCONCLUSIVE] * 2


def test_the_worst_path_decides():
    def one_slow(a, b):
        return around(60 if (a, b) == ("player 3", "player 1") else 11)(a, b)

    record = record_of(one_slow, around(24), peers=3)
    judged = verdicts(record)
    assert [v.verdict for v in judged] == [Outcome.FAIL, Outcome.PASS]
    assert judged[0].value == pytest.approx(60, abs=0.2)


def test_a_path_that_may_miss_weighs_more_than_a_slower_one_that_does_not():
    """One path at 45 ms for sure, one at 40 whose interval reaches far beyond the target."""

    def one_wild(a, b):
        if (a, b) != ("player 3", "player 1"):
            return around(45)(a, b)
        return [40.0] * 96 + [90.0] * 4

    judged = verdicts(record_of(one_wild, around(24), peers=3))[0]
    assert judged.verdict is Outcome.INCONCLUSIVE
    assert judged.interval[0] < 50 < judged.interval[1]


def test_a_path_nobody_heard_is_the_worst():
    def one_deaf(a, b):
        return [np.nan] * 100 if a == "player 2" else around(11)(a, b)

    judged = verdicts(record_of(one_deaf, around(24)))[0]
    assert judged.verdict is Outcome.INCONCLUSIVE
    assert "0% of a path's clicks were heard" in judged.reason


@pytest.mark.parametrize(
    ("spoilt", "because"),
    [
        ({"lag": LAG | {"p99_ms": 12.0}}, "the loop was 12.0 ms late"),
        ({"concealed_frames": 48_000}, "4.8% of a path's sound was concealed"),
        ({"card_underruns": 1500}, "10.0% of a path's sound was card silence"),
    ],
)
def test_an_invalid_run_is_inconclusive_with_the_reason(spoilt, because):
    for verdict in verdicts(record_of(around(11), around(24), **spoilt)):
        assert verdict.verdict is Outcome.INCONCLUSIVE
        assert because in verdict.reason


def test_missed_clicks_make_it_invalid_not_faster():
    def every_tenth_missed(a, b):
        values = around(11)(a, b)
        values[::10] = [np.nan] * 10
        return values

    judged = verdicts(record_of(every_tenth_missed, around(24)))[0]
    assert judged.verdict is Outcome.INCONCLUSIVE
    assert "90% of a path's clicks" in judged.reason


def test_paths_table_has_a_row_per_ordered_pair_and_measurement():
    paths = paths_table(record_of(around(11), around(24), peers=4))
    assert len(paths) == 2 * 4 * 3
    assert set(paths["measurement"]) == {ONE_WAY, ROUND_TRIP}
    assert (paths["median_ms_low"] <= paths["median_ms"]).all()
    assert (paths["median_ms"] <= paths["median_ms_high"]).all()


def test_figures_are_numpys():
    values = around(11)("", "")
    row = paths_table(record_of(around(11), around(24))).iloc[0]
    assert row["median_ms"] == pytest.approx(np.median(values))
    assert row["p95_ms"] == pytest.approx(np.quantile(values, 0.95))
    assert row["jitter_ms"] == pytest.approx(np.quantile(values, 0.95) - min(values))


def test_a_round_trip_loses_in_both_directions():
    record = record_of(around(11), around(24))
    streams = record.streams
    there = (streams.measurement == ROUND_TRIP) & (streams.sender == "player 1")
    streams.loc[there, "concealed_frames"] = 9600
    paths = paths_table(record).set_index(["measurement", "sender"])
    expected = 9600 / (2 * 960_000 + 9600)
    for sender in ("player 1", "player 2"):
        assert paths.loc[(ROUND_TRIP, sender), "concealed_share"] == pytest.approx(expected)
        assert paths.loc[(ONE_WAY, sender), "concealed_share"] == 0


@pytest.mark.parametrize(
    ("peers", "expected_ms"), [(2, 2.5 + 2.5 + 128 / 48), (4, 5 + 2.5 + 128 / 48)]
)
def test_floor_is_frame_lookahead_and_two_blocks(peers, expected_ms):
    record = record_of(around(11), around(24), peers=peers)
    assert floor_ms(record) == pytest.approx(expected_ms)
    assert floor_ms(record, ROUND_TRIP) == pytest.approx(2 * expected_ms)


@examples(25)
@given(st.lists(st.floats(0, 30), min_size=6, max_size=6), st.floats(-5, 5))
def test_the_waterfall_adds_up(stages_ms, residual_ms):
    total = sum(stages_ms) + residual_ms
    record = record_of(lambda a, b: [total] * 30, around(24), stages_ms=tuple(stages_ms))
    table = waterfall(record).set_index("stage")["mean_ms"]
    assert list(table.index) == [*STAGES, "residual", "measured"]
    assert table["residual"] == pytest.approx(residual_ms, abs=1e-9)
    assert table[[*STAGES, "residual"]].sum() == pytest.approx(table["measured"])


def test_the_same_record_gives_the_same_verdicts():
    record = record_of(around(11), around(24))
    assert [v.to_dict() for v in verdicts(record)] == [v.to_dict() for v in verdicts(record)]


def test_default_stages_are_the_floor_and_more():
    assert sum(STAGES_MS) > floor_ms(record_of(around(11), around(24)))
