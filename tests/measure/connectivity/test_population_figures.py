"""Judged figures of a population, compared with the connectivity rule and Dirichlet's shares."""

import math
import re

import numpy as np
import pytest

from jamlab.measure.connectivity.population import load_population, population_names
from jamlab.measure.connectivity.population_figures import (
    borne_words,
    doubt,
    population_figures,
    range_words,
    share_words,
)
from jamlab.measure.connectivity.record import STUN_ONLY
from jamlab.measure.connectivity.sensitivity import PopulationRate, together
from jamlab.measure.connectivity.success import succeeded
from jamlab.measure.connectivity.symmetric_nats import Borne
from jamlab.measure.connectivity.verdicts import connectivity_verdicts
from jamlab.measure.statistics import Estimate, proportion
from jamlab.measure.verdict import Outcome, judge_at_least
from jamlab.networks.model.rule import expected

from .attempts import HOME, LADDER, TURN, by_rule, campaign, many_calls

PASS, FAIL, INCONCLUSIVE, _ = Outcome
STOLEN = 0.45
"""How many direct paths a relay is quicker than, in a campaign of those that come with jamlab."""


def chances(configuration):
    """Return what `many_calls` asks: the rule, which never sees the simulator, and some luck."""

    def of_two(one, other):
        relay = "" if configuration == STUN_ONLY else "udp"
        found = expected(one, other, stun=True, relay=relay)
        direct = float(found.direct) * (1 - STOLEN * found.relayed)
        return direct, float(found.relayed) * (1 - direct)

    return of_two


def campaign_in(name, calls, seed=1):
    """Return a campaign as it would be with no error but the draw of calls."""
    configurations = {each: chances(each) for each in (STUN_ONLY, TURN)}
    record = many_calls(load_population(name), calls, configurations, seed)
    record.provenance["with_turn"] = [TURN]
    return record


def outcomes(record):
    return {verdict.name: verdict.verdict for verdict in connectivity_verdicts(record)}


def exact_alone(record):
    """Judge by the calls alone, as if the population were known for certain."""
    judged = {}
    for what, figure, name in (
        ("direct-capable", "direct", STUN_ONLY),
        ("selected direct", "direct", TURN),
        ("connected", "connected", TURN),
    ):
        attempts = record.of(name)
        share = proportion(int(succeeded(attempts, figure).sum()), len(attempts), "exact")
        title = f"share of {what} calls ({name})"
        judged[title] = judge_at_least(title, 0.8, share, "").verdict
    return judged


@pytest.fixture(scope="module")
def campaigns():
    """Every population that comes with jamlab, at 2,000 and at 50,000 calls."""
    return {
        name: (campaign_in(name, 2_000), campaign_in(name, 50_000)) for name in population_names()
    }


class TestThePopulationDecides:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", population_names())
    def test_the_verdicts_are_the_same_at_2000_and_at_50000_calls(self, campaigns, name):
        few, many = campaigns[name]
        assert outcomes(few) == outcomes(many)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", population_names())
    def test_they_are_those_of_the_rule_weighed_by_shares_of_100_endpoints(self, campaigns, name):
        population, rng = load_population(name), np.random.default_rng(3)
        weights = rng.dirichlet(100 * population.weights, 20_000)
        of_calls = {}
        for title, configuration, connected in (
            (f"share of direct-capable calls ({STUN_ONLY})", STUN_ONLY, 0),
            (f"share of selected direct calls ({TURN})", TURN, 0),
            (f"share of connected calls ({TURN})", TURN, 1),
        ):
            pairs = [
                [chances(configuration)(a, b) for b in population.places] for a in population.places
            ]
            cells = np.array([[direct + connected * relay for direct, relay in r] for r in pairs])
            drawn = np.einsum("ni,ij,nj->n", weights, cells, weights)
            value = float(population.weights @ cells @ population.weights)
            ends = np.quantile(drawn, [0.025, 0.975]) if np.ptp(cells) else (value, value)
            estimate = Estimate(value, *map(float, ends), 0.95)
            of_calls[title] = judge_at_least(title, 0.8, estimate, "").verdict
        for record in campaigns[name]:
            assert outcomes(record) == of_calls

    @pytest.mark.slow
    def test_judged_by_the_calls_alone_they_would_be_surer_than_the_figure(self, campaigns):
        capable = f"share of direct-capable calls ({STUN_ONLY})"
        mixed, corporate, nats = (campaigns[n] for n in ("mixed", "corporate", "nat_population"))
        assert exact_alone(mixed[0])[capable] is PASS
        assert exact_alone(corporate[1])[capable] is FAIL
        assert exact_alone(nats[1])[capable] is FAIL
        again = [campaign_in("nat_population", 2_000, seed) for seed in range(8)]
        assert {exact_alone(each)[capable] for each in again} == {INCONCLUSIVE, FAIL}
        for each in (*again, *mixed, *corporate, *nats):
            assert outcomes(each)[capable] is INCONCLUSIVE

    @pytest.mark.slow
    def test_calls_without_end_do_not_narrow_what_they_leave_open(self, campaigns):
        for few, many in campaigns.values():
            for one, other in zip(*map(connectivity_verdicts, (few, many)), strict=True):
                widths = [high - low for low, high in (one.interval, other.interval)]
                if other.verdict is INCONCLUSIVE:
                    assert widths[1] > 0.95 * widths[0]

    def test_some_are_settled_by_any_number_of_calls(self, campaigns):
        capable = f"share of direct-capable calls ({STUN_ONLY})"
        assert outcomes(campaigns["home"][0])[capable] is PASS
        assert outcomes(campaigns["mobile"][0])[capable] is FAIL


class TestReasons:
    def reason(self, record):
        return connectivity_verdicts(record)[0].reason

    def test_an_unknown_population_is_said_to_be_one_and_the_simulation_s_error_stands_apart(
        self, campaigns
    ):
        few, many = map(self.reason, campaigns["mixed"])
        for reason, calls in ((few, 2000), (many, 50000)):
            assert "The cause is the shares of NATs in the population mixed, which are" in reason
            assert "are assumed or known from few endpoints; more calls do not help" in reason
            assert re.search(rf"simulation error of {calls} calls, 8\d\.\d to 8\d\.\d%", reason)
            assert "Counting the NATs of the intended participants would help." in reason

    def test_what_is_settled_has_the_simulation_s_error_beside_it(self, campaigns):
        reason = self.reason(campaigns["home"][0])
        assert "error of the population's shares; beside it, the simulation error" in reason

    def test_too_few_calls_are_said_to_be_too_few(self):
        rate = PopulationRate(
            Estimate(0.84, 0.79, 0.88, 0.95),
            Estimate(0.84, 0.82, 0.86, 0.95),
            Estimate(0.84, 0.794, 0.88, 0.95),
        )
        assert doubt(rate, 30, "home", 0.8) == (
            "The cause is the simulation error of 30 calls, 79.4 to 88.0%: make more calls."
        )
        assert "simulation error of 1 call, 79.4" in doubt(rate, 1, "home", 0.8)

    @pytest.mark.parametrize(
        ("few", "many"),
        [
            ((0.84, 0.66, 0.93), (0.89, 0.88, 0.90)),  # more calls of the same population: PASS
            ((0.76, 0.59, 0.88), (0.70, 0.69, 0.71)),  # and FAIL
        ],
    )
    def test_more_calls_are_not_said_to_be_useless_where_they_may_settle_it(self, few, many):
        """The shares' error is 8 points either way, whatever the number of calls."""
        first, later = (
            PopulationRate(together(shares, simulation), shares, simulation)
            for value, low, high in (few, many)
            for shares in [Estimate(value, value - 0.08, value + 0.08, 0.95)]
            for simulation in [Estimate(value, low, high, 0.95)]
        )
        assert judge_at_least("share", 0.8, later.both, "").verdict is not INCONCLUSIVE
        told = doubt(first, 30, "home", 0.8)
        assert "make more calls first, which may settle it." in told
        assert "do not help" not in told

    @pytest.mark.parametrize(
        ("features", "given"),
        [
            ("", ""),
            ("+ipv6=0", ""),
            ("+ipv6=60", "IPv6"),
            ("+mapping=30", "routers that map ports"),
            ("+ipv6=60+none=5+mapping=30", "IPv6 and with routers that map ports"),
        ],
    )
    def test_shares_of_features_are_said_to_be_taken_as_given(self, features, given):
        rate = PopulationRate(*[Estimate(0.9, 0.85, 0.95, 0.95)] * 3)
        told = doubt(rate, 30, load_population(f"home{features}").name, 0.8)
        words = f" The interval takes the share of ends with {given} as given."
        assert told.endswith(words if given else "85.0 to 95.0%.")

    def test_the_tolerated_share_and_the_population_s_own_have_intervals(self, campaigns):
        told = self.reason(campaigns["nat_population"][0])
        assert re.search(r"up to 1\d\.\d% \(1\d\.\d to 1\d\.\d%\) symmetric NATs", told)
        assert re.search(r"nat_population has 16\.5% \(\d+\.\d to \d+\.\d%\) of them\.$", told)

    @pytest.mark.parametrize(
        ("tolerated", "known", "words"),
        [
            ((0.1, 0.05, 0.2), True, "The target is reached with up to 10.0% (5.0 to 20.0%)"),
            ((1.0, 1.0, 1.0), True, "The target would be reached with any share"),
            ((1.0, 0.5, 1.0), True, "The target is reached with up to 100.0% (50.0 to 100.0%)"),
            ((math.nan, 0.0, 0.0), True, "Without any symmetric NAT the share would be 70 %"),
            ((math.nan, 0.0, 1.0), False, "Too few pairs were tried to say how many"),
        ],
    )
    def test_each_case_has_its_words(self, tolerated, known, words):
        share, without = Estimate(0.1, 0.1, 0.1, 0.95), Estimate(0.7, 0.65, 0.75, 0.95)
        bears = Borne(Estimate(*tolerated, 0.95), share, without, known)
        told = borne_words(bears, "mine", 80)
        assert told.startswith(words)
        assert told.endswith("; the population mine has 10.0% of them.")

    def test_shares_are_written_with_their_intervals(self):
        assert share_words(Estimate(0.123, 0.1, 0.2, 0.95)) == "12.3% (10.0 to 20.0%)"
        assert range_words(Estimate(0.123, 0.1, 0.2, 0.95)) == "10.0 to 20.0%"


class TestPopulationFigures:
    def test_they_are_what_a_direct_path_is_there_for_then_selected_then_connected(self):
        figures = list(population_figures(campaign(calls=30), HOME, 0.8))
        assert [figure.name.removeprefix("share of ") for figure in figures] == [
            f"direct-capable calls ({STUN_ONLY})",
            f"selected direct calls ({TURN})",
            f"selected direct calls ({LADDER})",
            f"connected calls ({TURN})",
            f"connected calls ({LADDER})",
        ]
        assert {figure.calls for figure in figures} == {30}

    def test_the_same_record_gives_the_same_figures(self):
        record = many_calls(HOME, 200, {STUN_ONLY: by_rule})
        record.provenance["with_turn"] = []
        first, second = (list(population_figures(record, HOME, 0.8)) for _ in range(2))
        assert first == second
