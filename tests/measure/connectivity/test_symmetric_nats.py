"""Tolerated shares of symmetric NATs: the square of one share, roots, and simulated studies."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jamlab.measure.connectivity.record import STUN_ONLY
from jamlab.measure.connectivity.sensitivity import rate_within
from jamlab.measure.connectivity.symmetric_nats import (
    ShareCurve,
    borne,
    endpoint_dependent,
    share_curve,
    tolerated_share,
)

from .attempts import (
    CONE,
    HOME,
    OPEN,
    PORT_RESTRICTED,
    SYMMETRIC,
    TURN,
    Drawn,
    attempts_between,
    by_rule,
    campaign,
    many_calls,
)

SHARE = st.floats(0, 1)


def rng():
    return np.random.default_rng(5)


def certain(**shares):
    return Drawn("certain", shares, endpoints=None)


class TestShareCurve:
    def test_everybody_else_port_restricted_bears_10_6_percent(self):
        names = [PORT_RESTRICTED, SYMMETRIC]
        attempts = attempts_between([(a, b) for a in names for b in names], (STUN_ONLY,))
        curve = share_curve(attempts, "direct", certain(**{names[0]: 0.95, names[1]: 0.05}))
        assert curve == ShareCurve(1, 0, 0, pytest.approx(0.05))
        assert curve.tolerated(0.8) == pytest.approx(1 - math.sqrt(0.8))
        assert round(curve.tolerated(0.8), 3) == 0.106
        assert curve.rate(0.2) == pytest.approx(0.8**2)

    def test_at_its_own_share_it_is_the_population_s_rate(self):
        attempts = campaign(calls=400).of(TURN)
        curve = share_curve(attempts, "direct", HOME)
        rate = rate_within(attempts, "direct", HOME, rng()).both.value
        assert float(curve.rate(curve.share)) == pytest.approx(rate)

    @given(neither=SHARE, one=SHARE, both=SHARE, limit=st.floats(0.01, 0.99))
    def test_the_target_holds_up_to_the_tolerated_share_and_not_beyond(
        self, neither, one, both, limit
    ):
        curve = ShareCurve(neither, one, both, 0.1)
        tolerated = curve.tolerated(limit)
        if math.isnan(tolerated):
            assert neither < limit
            return
        assert (curve.rate(np.linspace(0, tolerated, 50)) >= limit - 1e-5).all()
        if tolerated < 1:
            assert float(curve.rate(tolerated)) == pytest.approx(limit, abs=1e-6)

    @pytest.mark.parametrize(
        ("curve", "tolerated"),
        [
            (ShareCurve(1, 1, 1, 0.1), 1.0),
            (ShareCurve(1, 0.8, 0.8, 0.1), 1.0),
            (ShareCurve(0.9, 0.8, 0.7, 0.1), 0.5),
            (ShareCurve(0.7, 1, 1, 0.1), math.nan),
            (ShareCurve(math.nan, 1, 1, 0.1), math.nan),
            (ShareCurve(1, 1, math.nan, 0.1), math.nan),
        ],
    )
    def test_its_ends(self, curve, tolerated):
        assert curve.tolerated(0.8) == pytest.approx(tolerated, nan_ok=True)

    @pytest.mark.parametrize(
        ("place", "expected"),
        [
            ("EIM/APDF/preserve", False),
            ("APDM/APDF/random", True),
            ("ADM/APDF/random", True),
            ("CGN APDM/APDF + EIM/APDF", True),
            ("EIM/ADF/random", False),
            (OPEN, False),
            ("UDP blocked", False),
        ],
    )
    def test_a_place_is_symmetric_by_any_of_its_nats(self, place, expected):
        assert endpoint_dependent(place) is expected


class TestToleratedShare:
    @given(rates=st.lists(st.tuples(SHARE, SHARE, SHARE), min_size=1, max_size=5))
    def test_it_is_where_the_curve_first_falls_below_on_a_fine_grid(self, rates):
        grid = np.linspace(0, 1, 20_001)
        for triple, found in zip(rates, tolerated_share(np.array(rates), 0.8), strict=True):
            below = ShareCurve(*triple, 0.1).rate(grid) < 0.8
            if math.isnan(found):
                assert below[0]
                continue
            assert not below[grid < found - 1e-4].any() or _grazes(triple)
            first = grid[below.argmax()] if below.any() else 1.0
            assert found == pytest.approx(first, abs=1e-4) or _grazes(triple)

    @pytest.mark.parametrize(
        ("triple", "expected"),
        [
            ((0.8, 0.8, 0.7), 0.0),  # flat at first, but it falls at once
            ((0.8, 0.9, 0.1), 0.2222),  # 1.8 s² … rises from the limit and comes back to it
            ((0.8, 0.8, 0.8), 1.0),
            ((0.8, 0.7, 1.0), 0.0),
            ((0.8, 0.9, 1.0), 1.0),
        ],
    )
    def test_curves_that_begin_at_the_limit(self, triple, expected):
        assert tolerated_share(np.array([triple]), 0.8)[0] == pytest.approx(expected, abs=1e-4)


def _grazes(triple):
    """Return whether a curve only just touches the limit, so that rounding decides."""
    neither, one, both = triple
    square, slope = neither - 2 * one + both, one - neither
    return abs(slope**2 - square * (neither - 0.8)) < 1e-6


class TestBorne:
    def test_where_all_else_is_alike_only_the_simulation_leaves_it_open(self):
        population = Drawn("two", {PORT_RESTRICTED: 0.9, SYMMETRIC: 0.1}, endpoints=100)
        widths = []
        for calls in (500, 8000):
            attempts = many_calls(population, calls, {STUN_ONLY: by_rule}).attempts
            bears = borne(attempts, "direct", population, 0.8, rng())
            assert bears.tolerated.value == pytest.approx(1 - math.sqrt(0.8))
            assert bears.tolerated.low <= bears.tolerated.value <= bears.tolerated.high
            widths.append(bears.tolerated.high - bears.tolerated.low)
        assert widths[1] < widths[0] / 8
        assert bears.known

    def test_the_population_s_own_share_is_as_uncertain_as_its_source(self):
        bears = borne(campaign(calls=500).of(STUN_ONLY), "direct", HOME, 0.8, rng())
        ends = stats.beta(40, 360).ppf([0.025, 0.975])  # 10 % of 400 endpoints
        assert bears.share.value == pytest.approx(0.1)
        assert (bears.share.low, bears.share.high) == pytest.approx(tuple(ends), abs=0.004)

    def test_shares_within_the_others_leave_it_open_however_many_calls_there_are(self):
        """Cones bear a symmetric NAT, port-restricted ones do not: P = 1 − 2 s (1−s) r − s².

        r is the share of the port-restricted among the others, Beta distributed: 70 of 90 counted.
        """
        population = Drawn("three", {CONE: 0.2, PORT_RESTRICTED: 0.7, SYMMETRIC: 0.1}, 100)
        attempts = many_calls(population, 20_000, {STUN_ONLY: by_rule}).attempts
        bears = borne(attempts, "direct", population, 0.8, rng())
        draws = np.random.default_rng(1).beta(70, 20, 20_000)
        grid = np.linspace(0, 1, 2001)
        bearable = [grid[(1 - 2 * grid * (1 - grid) * r - grid**2 < 0.8).argmax()] for r in draws]
        low, high = np.quantile(bearable, [0.025, 0.975])
        assert (bears.tolerated.low, bears.tolerated.high) == pytest.approx((low, high), abs=0.003)

    def test_a_target_missed_without_any_has_no_such_share_and_the_rate_says_how_far(self):
        record = campaign(calls=900, stolen=0.5, configurations=(TURN,))
        bears = borne(record.attempts, "direct", HOME, 0.8, rng())
        assert math.isnan(bears.tolerated.value)
        assert (bears.tolerated.low, bears.tolerated.high) == (0, 0)
        assert bears.without_any.low < 0.5 < bears.without_any.high < 0.8

    def test_kinds_of_pairs_nobody_tried_are_unknown(self):
        attempts = attempts_between([(PORT_RESTRICTED, SYMMETRIC)] * 9, (STUN_ONLY,))
        bears = borne(attempts, "direct", HOME, 0.8, rng())
        assert not bears.known
        assert (bears.tolerated.low, bears.tolerated.high) == (0, 1)
