"""Cumulative incidence: Aalen and Johansen step by step, the plain share, states by hand."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jamlab.measure.connectivity.record import STUN_ONLY
from jamlab.measure.connectivity.time_to_connect import (
    connection_curve,
    quantile_table,
    state_durations,
    time_to_connect,
)
from jamlab.measure.statistics import proportion, values_needed

from .attempts import LADDER, OPEN, SYMMETRIC, TURN, attempts_between, row, table

TIMES = st.lists(st.tuples(st.floats(0.01, 60), st.booleans()), min_size=1, max_size=60)


def observed(*times_s):
    """Return attempts that connected at a time or, where it is negative, were given up at it."""
    return table(
        [
            row(n, STUN_ONLY, OPEN, OPEN, "direct", t)
            if t > 0
            else row(n, STUN_ONLY, OPEN, OPEN, "failed", given_up_s=-t)
            for n, t in enumerate(times_s)
        ]
    )


class TestConnectionCurve:
    def test_by_hand(self):
        curve = connection_curve(observed(1.0, 2.0, -2.5, 3.0, 4.0, -9.0)).set_index("time_s")
        assert curve["connected"].to_dict() == pytest.approx(
            {1.0: 1 / 6, 2.0: 2 / 6, 2.5: 2 / 6, 3.0: 3 / 6, 4.0: 4 / 6, 9.0: 4 / 6}
        )
        assert curve["at_risk"].to_list() == [6, 5, 4, 3, 2, 1]

    def test_half_that_failed_early_never_connects(self):
        """Censored, as by Kaplan and Meier, they would be taken to connect as the others do."""
        attempts = observed(*[-1.0] * 50, *[2.0] * 50)
        connected = attempts["time_to_connect_s"].notna()
        times_s = attempts["time_to_connect_s"].fillna(attempts["observed_s"])
        old = stats.ecdf(stats.CensoredData.right_censored(times_s, ~connected)).cdf
        assert old.evaluate(30.0) == 1
        curve = connection_curve(attempts)
        assert curve["connected"].iloc[-1] == 0.5
        assert time_to_connect(curve, 0.5).value == 2.0
        assert time_to_connect(curve, 0.51).value == math.inf

    @given(times=TIMES)
    def test_it_is_aalen_and_johansen_s_with_failing_as_the_competing_event(self, times):
        attempts = observed(*(t if connects else -t for t, connects in times))
        neither_yet, incidence = 1.0, 0.0
        for row_ in connection_curve(attempts).itertuples():
            here = [connects for t, connects in times if t == row_.time_s]
            trying = sum(t >= row_.time_s for t, _ in times)
            incidence += neither_yet * sum(here) / trying
            neither_yet *= 1 - len(here) / trying
            assert row_.connected == pytest.approx(incidence)

    def test_its_band_is_the_exact_one_at_each_time(self):
        curve = connection_curve(observed(1.0, 2.0, -2.5, 3.0, 4.0, -9.0)).set_index("time_s")
        for time_s, count in {1.0: 1, 2.0: 2, 2.5: 2, 3.0: 3, 4.0: 4, 9.0: 4}.items():
            exact = proportion(count, 6, "exact")
            band = curve.loc[time_s, ["connected_low", "connected_high"]].to_list()
            assert band == pytest.approx([exact.low, exact.high])

    @given(times=TIMES)
    def test_one_deadline_gives_the_plain_share_of_all_attempts(self, times):
        deadline_s = 60.0
        attempts = observed(*(t if connects else -deadline_s for t, connects in times))
        connected_s = attempts["time_to_connect_s"]
        for row_ in connection_curve(attempts).itertuples():
            assert row_.connected == pytest.approx((connected_s <= row_.time_s).mean())

    @given(times=TIMES)
    def test_it_rises_within_its_band_and_hides_no_failure(self, times):
        attempts = observed(*(t if connects else -t for t, connects in times))
        curve = connection_curve(attempts)
        for column in ("connected", "connected_low", "connected_high", "time_s"):
            assert curve[column].is_monotonic_increasing
        assert (curve["connected_low"] <= curve["connected"] + 1e-12).all()
        assert (curve["connected"] <= curve["connected_high"] + 1e-12).all()
        assert curve[["connected_low", "connected_high"]].stack().between(0, 1).all()
        assert curve["at_risk"].iloc[0] == len(attempts)

    def test_nothing_connected_and_everything_connected(self):
        nothing = connection_curve(observed(-30.0, -30.0, -30.0)).iloc[-1]
        assert nothing["connected"] == nothing["connected_low"] == 0
        assert nothing["connected_high"] == pytest.approx(proportion(0, 3, "exact").high)
        everything = connection_curve(observed(1.0, 2.0, 3.0)).iloc[-1]
        assert everything["connected"] == everything["connected_high"] == 1
        assert everything["connected_low"] == pytest.approx(proportion(3, 3, "exact").low)

    def test_nothing_tried_gives_no_row(self):
        curve = connection_curve(observed(1.0).iloc[:0])
        assert curve.empty
        assert time_to_connect(curve, 0.5).value == math.inf


class TestTimeToConnect:
    def test_by_hand(self):
        curve = connection_curve(observed(1.0, 2.0, 3.0, 4.0, -9.0))
        assert [time_to_connect(curve, q).value for q in (0.2, 0.4, 0.41, 0.8, 0.81)] == [
            1.0,
            2.0,
            3.0,
            4.0,
            math.inf,
        ]

    def test_dropping_the_failures_would_tell_another_story(self):
        attempts = observed(*[1.0] * 4, *[2.0] * 2, *[-30.0] * 4)
        assert time_to_connect(connection_curve(attempts), 0.5).value == 2.0
        kept = attempts[attempts["time_to_connect_s"].notna()]
        assert time_to_connect(connection_curve(kept), 0.5).value == 1.0

    @pytest.mark.parametrize("quantile", [0.0, -0.1, 1.1, math.nan])
    def test_refuses_what_is_no_share(self, quantile):
        with pytest.raises(ValueError, match="give a share above 0 up to 1"):
            time_to_connect(connection_curve(observed(1.0)), quantile)

    @pytest.mark.slow
    def test_the_interval_covers_the_truth_as_often_as_it_says(self):
        rng, covered, runs = np.random.default_rng(3), 0, 200
        for _ in range(runs):
            times_s = rng.exponential(1.0, values_needed(0.95))
            times_s = np.where(times_s > 2.0, -2.0, times_s)
            estimate = time_to_connect(connection_curve(observed(*times_s)), 0.5)
            covered += estimate.low <= math.log(2) <= estimate.high
        assert covered / runs == pytest.approx(0.95, abs=0.045)  # three standard deviations

    @pytest.mark.slow
    def test_it_covers_where_failures_are_early_and_many(self):
        """Half fail, as early as the others connect: a quarter of all has connected by log 2."""
        rng, covered, runs = np.random.default_rng(4), 0, 200
        for _ in range(runs):
            times_s = rng.exponential(1.0, 100) * rng.choice([1, -1], 100)
            estimate = time_to_connect(connection_curve(observed(*times_s)), 0.25)
            covered += estimate.low <= math.log(2) <= estimate.high
        assert covered / runs > 0.95 - 0.045

    def test_a_quantile_not_reached_is_infinite_in_the_table(self):
        pairs = [(OPEN, OPEN)] * 30 + [(SYMMETRIC, SYMMETRIC)] * 20
        rows = quantile_table(attempts_between(pairs)).set_index("configuration")
        assert rows["failed"].to_dict() == {STUN_ONLY: 20, TURN: 0, LADDER: 0}
        assert rows.loc[STUN_ONLY, "p90_s"] == math.inf
        assert rows.loc[STUN_ONLY, "p50_s"] < 5
        assert rows.loc[LADDER, "p90_s"] > 5  # it waits so long before it takes a relay
        assert (rows["p50_s_low"] <= rows["p50_s"]).all()
        assert (rows["p50_s"] <= rows["p50_s_high"]).all()


class TestStateDurations:
    def test_by_hand(self):
        states = [
            [0.0, "caller", "ice", "new"],
            [0.1, "callee", "ice", "new"],
            [0.5, "caller", "ice", "checking"],
            [0.5, "caller", "connection", "connecting"],
            [1.5, "caller", "ice", "completed"],
        ]
        attempt = row(7, TURN, OPEN, OPEN, "direct", 2.0, states=json.dumps(states))
        stays = state_durations(table([attempt]))
        assert set(stays["call"]) == {7}
        assert set(stays["configuration"]) == {TURN}
        found = {
            (each.side, each.kind, each.state): (each.entered_s, each.duration_s, each.ended)
            for each in stays.itertuples()
        }
        assert found == {
            ("caller", "ice", "new"): (0.0, 0.5, True),
            ("caller", "ice", "checking"): (0.5, 1.0, True),
            ("caller", "ice", "completed"): (1.5, 0.5, False),
            ("caller", "connection", "connecting"): (0.5, 1.5, False),
            ("callee", "ice", "new"): (0.1, pytest.approx(1.9), False),
        }

    @given(changes=st.lists(st.tuples(st.floats(0, 9), st.sampled_from(["a", "b"])), max_size=9))
    def test_the_stays_of_a_side_add_up_to_the_time_since_its_first_state(self, changes):
        states = [[time_s, "caller", "ice", state] for time_s, state in sorted(changes)]
        attempt = row(0, TURN, OPEN, OPEN, "failed", given_up_s=10.0, states=json.dumps(states))
        stays = state_durations(table([attempt]))
        assert len(stays) == len(states)
        if states:
            assert stays["duration_s"].sum() == pytest.approx(10.0 - states[0][0])
            assert (stays["duration_s"] >= 0).all()
            assert stays["ended"].sum() == len(states) - 1
