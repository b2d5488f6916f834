"""Shares by the rule against closed formulas and simulated campaigns."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.file import embedded_configurations
from jamlab.measure.connectivity.campaign import campaign
from jamlab.measure.connectivity.population import (
    Features,
    load_population,
    parse_population,
    population_names,
    with_features,
)
from jamlab.measure.connectivity_by_rule.direct_share import (
    direct_share,
    feature_curve,
    features_table,
    needed_percent,
)
from jamlab.measure.statistics import proportion

SYMMETRIC = parse_population("place,percent,source\nAPDM/APDF/random,100,-", "all", 100, "-")
CLEAN = parse_population("place,percent,source\nEIM/APDF,100,-", "none", 100, "-")
HALF = parse_population(
    "place,percent,source\nAPDM/APDF/random,50,-\nEIM/APDF,50,-", "half", 100, "-"
)
PERCENT = st.floats(0, 100)


def share(population, **features):
    return direct_share(with_features(population, Features(**features))).value


class TestFormulas:
    @given(st.floats(0.01, 0.99))
    def test_symmetric_nats_reach_nobody_but_the_open(self, s):
        text = f"place,percent,source\nAPDM/APDF/random,{100 * s},-\nEIM/APDF,{100 - 100 * s},-"
        population = parse_population(text, "some", 100, "-")
        assert share(population) == pytest.approx((1 - s) ** 2, abs=1e-9)

    @given(PERCENT)
    def test_ipv6_is_used_by_two_who_have_it(self, percent):
        assert share(SYMMETRIC, ipv6=percent) == pytest.approx((percent / 100) ** 2)

    @given(PERCENT, st.floats(0, 100), st.floats(0, 1))
    def test_closed_firewalls_keep_it_out(self, ipv6, closed, part):
        usable = ipv6 / 100 * (1 - closed / 100)
        found = share(SYMMETRIC, ipv6=ipv6, closed=closed, none=part * (100 - closed))
        assert found == pytest.approx(usable**2, abs=1e-9)

    @given(PERCENT)
    def test_one_mapped_port_is_enough(self, percent):
        assert share(SYMMETRIC, mapping=percent) == pytest.approx(1 - (1 - percent / 100) ** 2)

    @given(PERCENT, PERCENT)
    def test_both_features_are_independent(self, ipv6, mapping):
        neither = (1 - mapping / 100) ** 2 * (1 - (ipv6 / 100) ** 2)
        assert share(SYMMETRIC, ipv6=ipv6, mapping=mapping) == pytest.approx(1 - neither)

    @given(PERCENT, PERCENT)
    def test_nothing_is_added_to_all(self, ipv6, mapping):
        assert share(CLEAN, ipv6=ipv6, mapping=mapping) == pytest.approx(1)


class TestNeeded:
    @pytest.mark.parametrize(
        ("population", "feature", "target", "percent"),
        [
            (SYMMETRIC, "ipv6", 0.8, 100 * math.sqrt(0.8)),
            (SYMMETRIC, "mapping", 0.8, 100 * (1 - math.sqrt(0.2))),
            (HALF, "ipv6", 0.8, 100 * math.sqrt(1 - 0.2 / 0.75)),
            (CLEAN, "ipv6", 0.8, 0),
        ],
    )
    def test_share_is_that_of_the_formula(self, population, feature, target, percent):
        assert needed_percent(population, feature, target) == pytest.approx(percent, abs=1e-6)

    def test_share_may_not_exist(self):
        """Below a carrier no mapping helps."""
        carrier = load_population("fixed_cgn")
        assert math.isnan(needed_percent(carrier, "mapping", 0.8))
        closed = Features(closed=100)
        assert math.isnan(needed_percent(SYMMETRIC, "ipv6", 0.8, closed))

    def test_share_falls_with_the_other_feature(self):
        alone = needed_percent(SYMMETRIC, "mapping", 0.8)
        assert needed_percent(SYMMETRIC, "mapping", 0.8, Features(ipv6=50)) < alone


class TestCurve:
    def test_rises_within_its_interval(self):
        curve = feature_curve(HALF, "mapping", [0, 25, 50, 100], Features(ipv6=20))
        assert [*curve["percent"]] == [0, 25, 50, 100]
        assert curve["direct"].is_monotonic_increasing
        assert curve["direct"].iloc[-1] == pytest.approx(1)
        assert (curve["direct_low"] <= curve["direct"]).all()
        assert (curve["direct"] <= curve["direct_high"]).all()


class TestTable:
    @pytest.fixture(scope="class")
    @classmethod
    def table(cls):
        return features_table(population_names(), 0.8).set_index("population")

    def test_has_all_populations(self, table):
        assert [*table.index] == [*population_names()]
        for column in ("plain", "ipv6", "mapping", "both"):
            assert ((table[f"{column}_low"] <= table[column]) & (table[column] <= 1)).all()
        either = table[["ipv6", "mapping"]].max(axis=1)
        assert (table["both"] >= either - 1e-12).all()  # rounding, where one adds nothing

    def test_states_the_shares_of_the_data(self, table):
        assert set(table["ipv6_percent"]) == {50.1}
        assert table.loc["mobile", "mapping_percent"] == 0
        assert table.loc["mobile", "mapping"] == table.loc["mobile", "plain"]

    def test_states_what_would_be_needed(self, table):
        assert table.loc["mobile", "ipv6_needed"] == pytest.approx(100 * math.sqrt(1 - 0.2 / 0.64))
        assert table.loc["home", "ipv6_needed"] == 0
        assert math.isnan(table.loc["fixed_cgn", "mapping_needed"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nat_population+ipv6+mapping", "fixed_cgn+ipv6=70+closed=20"])
def test_a_campaign_finds_what_the_rule_says(name):
    population = load_population(name)
    with ThreadPoolExecutor(1) as here:
        table = campaign(population, [embedded_configurations()["STUN"]], 2000, 7, here)
    found = proportion(int((table["result"] == "direct").sum()), len(table), "exact", 0.999)
    assert found.low <= direct_share(population).value <= found.high
