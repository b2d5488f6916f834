"""Population rates against sums by hand, exact limits, and the square of one share."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from jamlab.measure.connectivity_record import STUN_ONLY
from jamlab.measure.sensitivity import (
    ShareCurve,
    cells,
    drawn_from,
    endpoint_dependent,
    population_rate,
    sensitivity,
    share_curve,
)
from jamlab.measure.success import proportion

from .attempts import (
    CONE,
    HOME,
    LADDER,
    MOBILE,
    OPEN,
    PORT_RESTRICTED,
    SYMMETRIC,
    TURN,
    Drawn,
    attempts_between,
    campaign,
    row,
    table,
)

SHARE = st.floats(0, 1)


def rng():
    return np.random.default_rng(5)


def counted(*pairs):
    """Return attempts: of each (caller, callee, successes, trials)."""
    rows = []
    for caller, callee, successes, trials in pairs:
        for n in range(trials):
            result = "direct" if n < successes else "failed"
            rows.append(row(len(rows), STUN_ONLY, caller, callee, result))
    return table(rows)


def certain(**shares):
    return Drawn("certain", shares, endpoints=None)


class TestCells:
    def test_who_called_whom_does_not_matter(self):
        attempts = counted(("a", "b", 1, 2), ("b", "a", 3, 4), ("a", "a", 2, 2), ("a", "z", 1, 1))
        of_both = cells(attempts, "direct", ["a", "b"])
        assert of_both.successes.tolist() == [[2, 4], [4, 0]]
        assert of_both.trials.tolist() == [[2, 6], [6, 0]]
        assert of_both.rates[0].tolist() == pytest.approx([1, 2 / 3])
        assert math.isnan(of_both.rates[1, 1])

    def test_the_rule_comes_back(self):
        names = [CONE, PORT_RESTRICTED, SYMMETRIC]
        attempts = attempts_between([(a, b) for a in names for b in names])
        bare = attempts[attempts["configuration"] == STUN_ONLY]
        assert cells(bare, "direct", names).rates.tolist() == [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
        ladder = attempts[attempts["configuration"] == LADDER]
        assert (cells(ladder, "connected", names).rates == 1).all()


class TestPopulationRate:
    def test_two_places_by_hand(self):
        attempts = counted(("a", "a", 9, 10), ("a", "b", 5, 10), ("b", "b", 0, 10))
        rate = population_rate(attempts, "direct", certain(a=0.7, b=0.3), rng())
        assert rate.value == pytest.approx(0.7**2 * 0.9 + 2 * 0.7 * 0.3 * 0.5 + 0.3**2 * 0)
        assert rate.low < rate.value < rate.high

    @pytest.mark.parametrize(("successes", "trials"), [(46, 50), (0, 12), (12, 12), (1, 3)])
    def test_one_cell_has_the_exact_interval(self, successes, trials):
        attempts = counted(("a", "a", successes, trials))
        rate = population_rate(attempts, "direct", certain(a=1.0), rng())
        exact = proportion(successes, trials, "exact")
        assert rate.value == exact.value
        assert (rate.low, rate.high) == pytest.approx((exact.low, exact.high), abs=0.02)

    def test_the_weights_uncertainty_is_the_square_of_their_beta(self):
        # certain cells, direct only between two a: P = w², w ~ Beta(70, 30)
        attempts = counted(("a", "a", 5000, 5000), ("a", "b", 0, 5000), ("b", "b", 0, 5000))
        rate = population_rate(attempts, "direct", Drawn("x", {"a": 0.7, "b": 0.3}, 100), rng())
        ends = stats.beta(70, 30).ppf([0.025, 0.975]) ** 2
        assert rate.value == pytest.approx(0.49)
        assert (rate.low, rate.high) == pytest.approx(tuple(ends), abs=0.012)

    def test_a_pair_nobody_tried_may_be_anything(self):
        attempts = counted(("a", "a", 5000, 5000), ("a", "b", 5000, 5000))
        rate = population_rate(attempts, "direct", certain(a=0.7, b=0.3), rng())
        assert rate.value == 1
        assert (rate.low, rate.high) == pytest.approx((0.91, 1.0), abs=2e-3)

    def test_nothing_tried_is_unknown(self):
        rate = population_rate(counted(("z", "z", 1, 1)), "direct", HOME, rng())
        assert math.isnan(rate.value)
        assert (rate.low, rate.high) == pytest.approx((0, 1))

    def test_the_same_seed_gives_the_same_interval(self):
        attempts = campaign(calls=40).of(TURN)
        assert population_rate(attempts, "direct", HOME, rng()) == population_rate(
            attempts, "direct", HOME, rng()
        )

    @settings(deadline=None, max_examples=30)
    @given(share=SHARE, counts=st.lists(st.integers(0, 8), min_size=3, max_size=3))
    def test_the_value_is_a_share_within_its_interval(self, share, counts):
        pairs = [("a", "a"), ("a", "b"), ("b", "b")]
        tried = [(*pair, min(n, 5), n) for pair, n in zip(pairs, counts, strict=True) if n]
        if not tried:
            return
        population = certain(a=share, b=1 - share)
        rate = population_rate(counted(*tried), "direct", population, rng())
        assert 0 <= rate.low <= rate.high <= 1
        assert math.isnan(rate.value) or rate.low <= rate.value + 1e-9 <= rate.high + 2e-9


class TestSensitivity:
    def test_every_population_by_hand(self):
        names = [CONE, PORT_RESTRICTED, SYMMETRIC]
        attempts = attempts_between([(a, b) for a in names for b in names])
        rows = sensitivity(attempts, "direct", [HOME, MOBILE], rng())
        rates = rows.set_index(["population", "configuration"])["rate"]
        for population, (cone, port, symmetric) in (("home", (2, 7, 1)), ("mobile", (1, 5, 4))):
            lost = (2 * port * symmetric + symmetric**2) / 100
            assert rates[population, STUN_ONLY] == pytest.approx(1 - lost)
            assert rates[population, LADDER] == pytest.approx(1 - lost)
            assert cone + port + symmetric == 10
        assert rows["tried"].to_list() == pytest.approx([1] * 6)

    def test_it_says_how_much_of_a_population_was_tried(self):
        attempts = counted((CONE, CONE, 3, 3), (CONE, SYMMETRIC, 3, 3))
        (tried,) = sensitivity(attempts, "direct", [HOME], rng())["tried"]
        assert tried == pytest.approx(0.2**2 + 2 * 0.2 * 0.1)


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
        rate = population_rate(attempts, "direct", HOME, rng()).value
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


class TestDrawnFrom:
    @pytest.mark.parametrize("calls", [1, 5, 50, 1000])
    def test_an_honest_draw_passes(self, calls):
        for seed in range(20):
            attempts = campaign(calls=calls, seed=seed, configurations=(STUN_ONLY,)).attempts
            assert drawn_from(attempts, HOME)

    def test_another_population_all_pairs_alike_and_strange_places_do_not(self):
        names = [CONE, PORT_RESTRICTED, SYMMETRIC]
        alike = attempts_between([(a, b) for a in names for b in names] * 30, (STUN_ONLY,))
        assert not drawn_from(alike, HOME)
        assert not drawn_from(campaign(MOBILE, configurations=(STUN_ONLY,)).attempts, HOME)
        assert not drawn_from(counted((CONE, OPEN, 1, 1)), HOME)
        assert not drawn_from(counted((CONE, CONE, 1, 1)), certain(**{CONE: 0.0, OPEN: 1.0}))

    def test_a_population_of_one_place_has_nothing_to_tell(self):
        assert drawn_from(counted((OPEN, OPEN, 3, 3)), certain(**{OPEN: 1.0}))
