"""Shares compared with published intervals and counts by hand."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.connectivity.record import DIRECT, RELAYED, RESULTS, STUN_ONLY
from jamlab.measure.connectivity.success import direct_capable, pair_table, succeeded, success_table
from jamlab.measure.statistics import proportion

from .attempts import CONE, LADDER, PORT_RESTRICTED, SYMMETRIC, TURN, attempts_between, row, table

CALLS = st.lists(
    st.tuples(
        st.sampled_from([CONE, PORT_RESTRICTED, SYMMETRIC]),
        st.sampled_from([CONE, PORT_RESTRICTED, SYMMETRIC]),
        st.sampled_from(RESULTS[::2]),
        st.sampled_from(RESULTS),
    ),
    min_size=1,
    max_size=40,
)


def tried(calls):
    """Return calls made under STUN only and with TURN."""
    rows = []
    for number, (caller, callee, bare, with_turn) in enumerate(calls):
        rows.append(row(number, STUN_ONLY, caller, callee, bare))
        rows.append(row(number, TURN, caller, callee, with_turn))
    return table(rows)


class TestProportion:
    @pytest.mark.parametrize(
        ("successes", "trials", "low", "high"),
        [  # Newcombe, Statistics in Medicine 17, 1998, table I, method 3
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0000, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ],
    )
    def test_wilson_as_published(self, successes, trials, low, high):
        estimate = proportion(successes, trials)
        assert estimate.value == successes / trials
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-5)

    @pytest.mark.parametrize(
        ("successes", "trials", "low", "high"),
        [  # the same table, method 5: Clopper and Pearson
            (81, 263, 0.2527, 0.3676),
            (15, 148, 0.0578, 0.1617),
            (0, 20, 0.0000, 0.1684),
            (1, 29, 0.0009, 0.1776),
        ],
    )
    def test_exact_as_published(self, successes, trials, low, high):
        estimate = proportion(successes, trials, "exact")
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-5)

    @pytest.mark.parametrize("trials", [3, 50, 1000])
    def test_all_and_none_have_the_limits_worked_out_by_hand(self, trials):
        everything, nothing = (proportion(k, trials, "exact") for k in (trials, 0))
        assert everything.low == pytest.approx(0.025 ** (1 / trials))
        assert everything.high == 1
        assert (nothing.low, nothing.high) == pytest.approx((0, 1 - 0.025 ** (1 / trials)))

    def test_nothing_tried_is_unknown(self):
        estimate = proportion(0, 0)
        assert math.isnan(estimate.value)
        assert (estimate.low, estimate.high) == (0, 1)


class TestSuccessTable:
    def test_counts_by_hand(self):
        results = [  # of a call under STUN only, and with TURN
            *[(DIRECT, DIRECT)] * 5,
            *[(DIRECT, RELAYED)] * 2,
            *[("failed", RELAYED)] * 2,
            ("failed", "failed"),
        ]
        rows = success_table(tried([(CONE, CONE, *each) for each in results]))
        assert list(rows["configuration"]) == [STUN_ONLY, TURN]
        bare, with_turn = rows.to_dict("records")
        shares = ("direct_capable", "selected_direct", "connected", "relayed", "avoidable")
        assert [bare[share] for share in shares] == [0.7, 0.7, 0.7, 0.0, 0.0]
        assert [with_turn[share] for share in shares] == [0.7, 0.5, 0.9, 0.4, 0.2]
        wilson = proportion(9, 10)
        assert with_turn["connected_low"] == wilson.low
        assert with_turn["connected_high"] == wilson.high

    @given(calls=CALLS)
    def test_what_turn_buys_is_connected_without_selected_direct(self, calls):
        for each in success_table(tried(calls)).to_dict("records"):
            assert each["calls"] == len(calls)
            assert each["relayed"] == pytest.approx(each["connected"] - each["selected_direct"])
            assert each["avoidable"] <= min(each["relayed"], each["direct_capable"])
            for share in ("direct_capable", "selected_direct", "connected"):
                assert 0 <= each[f"{share}_low"] <= each[share] <= each[f"{share}_high"] <= 1

    def test_without_a_bare_attempt_nobody_knows_what_was_capable(self):
        attempts = attempts_between([(CONE, CONE)] * 5, configurations=(TURN, LADDER))
        rows = success_table(attempts)
        assert rows["direct_capable"].isna().all()
        assert rows["avoidable"].isna().all()
        assert rows["connected"].eq(1).all()

    def test_capable_is_over_the_calls_tried_both_ways(self):
        attempts = tried([(CONE, CONE, DIRECT, RELAYED)] * 4)
        attempts = attempts[(attempts["configuration"] == TURN) | (attempts["call"] < 2)]
        with_turn = success_table(attempts).set_index("configuration").loc[TURN]
        assert with_turn["avoidable"] == 1
        assert direct_capable(attempts) == {0, 1}

    def test_the_ladder_keeps_direct_what_is_capable(self):
        pairs = [(a, b) for a in (CONE, PORT_RESTRICTED, SYMMETRIC) for b in (CONE, SYMMETRIC)]
        rows = success_table(attempts_between(pairs * 20, stolen=0.5)).set_index("configuration")
        assert rows.loc[LADDER, "avoidable"] == 0
        assert rows.loc[TURN, "avoidable"] > 0
        assert rows.loc[LADDER, "selected_direct"] == rows.loc[STUN_ONLY, "selected_direct"]


class TestPairTable:
    def test_who_called_whom_does_not_matter(self):
        calls = [
            (CONE, SYMMETRIC, DIRECT, DIRECT),
            (SYMMETRIC, CONE, "failed", RELAYED),
            (CONE, CONE, DIRECT, DIRECT),
        ]
        pairs = pair_table(tried(calls)).set_index(["configuration", "place", "other"])
        assert set(pairs.index) == {
            (name, *ends)
            for name in (STUN_ONLY, TURN)
            for ends in ((SYMMETRIC, CONE), (CONE, CONE))
        }
        bare, with_turn = (pairs.loc[(name, SYMMETRIC, CONE)] for name in (STUN_ONLY, TURN))
        assert (bare["calls"], bare["direct"], bare["connected"]) == (2, 0.5, 0.5)
        assert (with_turn["direct"], with_turn["connected"]) == (0.5, 1.0)
        assert with_turn["direct_low"] == proportion(1, 2).low

    @given(calls=CALLS)
    def test_pairs_add_up_to_their_configuration(self, calls):
        attempts = tried(calls)
        swapped = attempts.rename(columns={"caller": "callee", "callee": "caller"})
        pd.testing.assert_frame_equal(pair_table(attempts), pair_table(swapped))
        for name, pairs in pair_table(attempts).groupby("configuration"):
            here = attempts[attempts["configuration"] == name]
            assert pairs["calls"].sum() == len(calls)
            for figure in ("direct", "connected"):
                counted = (pairs["calls"] * pairs[figure]).sum()
                assert counted == pytest.approx(succeeded(here, figure).sum())
