"""Population rates compared with sums by hand, exact limits, and the square of one share."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from jamlab.measure.connectivity.record import STUN_ONLY
from jamlab.measure.connectivity.sensitivity import (
    cells,
    drawn_from,
    rate_within,
    sensitivity,
)
from jamlab.measure.statistics import proportion

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
    by_rule,
    campaign,
    many_calls,
    reachable,
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


def population_rate(*given):
    """Return the rate with both errors together."""
    return rate_within(*given).both


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


class TestRateWithin:
    def test_the_errors_stand_apart_around_one_value(self):
        attempts = campaign(calls=500, configurations=(STUN_ONLY,)).attempts
        rate = rate_within(attempts, "direct", HOME, rng(), drawn=True)
        assert rate.both.value == rate.population.value == rate.simulation.value
        for end, sign in (("low", -1), ("high", 1)):
            both, population, simulation = (
                sign * (getattr(each, end) - each.value)
                for each in (rate.both, rate.population, rate.simulation)
            )
            assert both == pytest.approx(math.hypot(population, simulation))

    def test_the_simulation_s_is_as_wide_as_the_exact_interval_of_the_plain_share(self):
        attempts = campaign(calls=500, configurations=(STUN_ONLY,)).attempts
        rate = rate_within(attempts, "direct", HOME, rng(), drawn=True).simulation
        plain = proportion(int((attempts["result"] == "direct").sum()), 500, "exact")
        assert rate.high - rate.low == pytest.approx(plain.high - plain.low)

    def test_more_calls_narrow_the_simulation_s_alone(self):
        few, many = (
            rate_within(
                many_calls(HOME, calls, {STUN_ONLY: by_rule}).attempts,
                "direct",
                HOME,
                rng(),
                drawn=True,
            )
            for calls in (500, 8000)
        )
        widths = [[e.high - e.low for e in (r.population, r.simulation)] for r in (few, many)]
        assert widths[1][0] == pytest.approx(widths[0][0], rel=0.01)
        assert widths[1][1] == pytest.approx(widths[0][1] / 4, rel=0.15)

    def test_nobody_s_share_is_uncertain_in_a_population_of_one_place(self):
        attempts = counted((OPEN, OPEN, 46, 50))
        rate = rate_within(attempts, "direct", certain(**{OPEN: 1.0}), rng(), drawn=True)
        exact = proportion(46, 50, "exact")
        assert (rate.both.low, rate.both.high) == pytest.approx((exact.low, exact.high))

    @pytest.mark.slow
    def test_it_covers_the_truth_where_the_simulation_s_error_alone_does_not(self):
        """Populations are published after counting 100; 500 calls are drawn from what is published.

        The truth is the rule, weighed by the shares that were counted from.
        """
        names, truth = [CONE, PORT_RESTRICTED, SYMMETRIC], np.array([0.2, 0.65, 0.15])
        reached = np.array([[reachable(a, b) for b in names] for a in names])
        true_rate = truth @ reached @ truth
        draws, covered, alone, runs = np.random.default_rng(8), 0, 0, 150
        for run in range(runs):
            counts = draws.multinomial(100, truth) + 1e-6
            published = dict(zip(names, counts / counts.sum(), strict=True))
            population = Drawn("published", published, endpoints=100)
            calls = many_calls(population, 500, {STUN_ONLY: by_rule}, seed=run).attempts
            rate = rate_within(calls, "direct", population, draws, drawn=True)
            covered += rate.both.low <= true_rate <= rate.both.high
            alone += rate.simulation.low <= true_rate <= rate.simulation.high
        assert covered / runs >= 0.9
        assert alone / runs < 0.7


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

    def test_the_simulation_s_error_is_within_the_interval(self):
        attempts = campaign(calls=200).attempts
        rows = sensitivity(attempts, "direct", [HOME, MOBILE], rng(), drawn="home")
        assert (rows["rate_low"] <= rows["simulation_low"]).all()
        assert (rows["simulation_high"] <= rows["rate_high"]).all()
        own = rows[(rows["population"] == "home") & (rows["configuration"] == STUN_ONLY)]
        alone = rate_within(
            attempts[attempts["configuration"] == STUN_ONLY], "direct", HOME, rng(), drawn=True
        ).simulation
        assert own["simulation_low"].item() == pytest.approx(alone.low)

    def test_it_says_how_much_of_a_population_was_tried(self):
        attempts = counted((CONE, CONE, 3, 3), (CONE, SYMMETRIC, 3, 3))
        (tried,) = sensitivity(attempts, "direct", [HOME], rng())["tried"]
        assert tried == pytest.approx(0.2**2 + 2 * 0.2 * 0.1)


class TestDrawnFrom:
    @pytest.mark.slow
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
