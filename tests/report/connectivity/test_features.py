"""Table and curves of IPv6 and port mapping, against the shares by the rule."""

import math
from xml.etree import ElementTree

import pytest

from jamlab.measure.connectivity.population import Features, load_population, population_names
from jamlab.measure.connectivity_by_rule.direct_share import feature_curve
from jamlab.report.connectivity.features import curves, shares_table


class TestTable:
    @pytest.fixture(scope="class")
    @classmethod
    def table(cls):
        return shares_table(population_names()).data.set_index("Population")

    def test_has_a_row_per_population(self, table):
        assert [*table.index] == [*population_names()]

    def test_features_in_a_name_are_no_other_population(self):
        shown = shares_table(["home", "mobile+ipv6=3", "home+mapping"]).data
        assert [*shown["Population"]] == ["home", "mobile"]

    def test_states_shares_and_what_they_add(self, table):
        assert table.loc["mobile", "Direct, neither"].startswith("36 %")
        assert table.loc["nat_population", "With IPv6"].endswith("with 50.1 %")
        assert table.loc["mobile", "With port mapping"].endswith("with 0 %")

    def test_states_what_is_needed(self, table):
        """Rounded up, so that the share written down is enough."""
        exact = 100 * math.sqrt(1 - 0.2 / 0.64)
        assert table.loc["mobile", "IPv6 needed"] == f"{math.ceil(10 * exact) / 10:g} %"
        assert table.loc["home", "IPv6 needed"] == "none"
        assert table.loc["fixed_cgn", "Port mapping needed"] == "none is enough"


class TestCurves:
    @pytest.fixture(scope="class")
    @classmethod
    def figure(cls):
        return curves("nat_population+ipv6=12")

    @pytest.mark.slow
    def test_are_those_of_the_rule(self, figure):
        left, right = figure.axes
        population = load_population("nat_population")
        drawn = {line.get_label(): line for axes in (left, right) for line in axes.lines}
        for label, feature, others in (
            ("25 % closed", "ipv6", Features(closed=25)),
            ("without IPv6", "mapping", Features()),
            ("IPv6 50.1 %", "mapping", Features(ipv6=50.1)),
        ):
            x, y = drawn[label].get_data()
            curve = feature_curve(population, feature, [*x], others)
            assert [*y] == pytest.approx([*curve["direct"]])

    def test_marks_are_the_shares_of_the_data(self, figure):
        for axes, percent in zip(figure.axes, (50.1, 30), strict=True):
            marks = [line for line in axes.lines if len(set(line.get_xdata())) == 1]
            assert [line.get_xdata()[0] for line in marks] == [percent]

    def test_are_a_picture(self, figure):
        assert ElementTree.fromstring(figure.svg()).tag.endswith("svg")
        assert "IPv6" in figure.alt
