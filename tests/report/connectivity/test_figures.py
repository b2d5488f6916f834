import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import LineCollection

from jamlab.measure.connectivity.record import STUN_ONLY
from jamlab.measure.connectivity.sensitivity import rate_within, sensitivity
from jamlab.measure.connectivity.success import success_table
from jamlab.measure.connectivity.symmetric_nats import borne
from jamlab.report.connectivity import figures as success
from jamlab.report.page.figures import WIDTH_IN
from tests.examples import examples
from tests.measure.connectivity.attempts import (
    BLOCKED,
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
    record_of,
    row,
    table,
)

MANY = [f"EIM/{f}/{p}" for f in ("EIF", "ADF", "APDF") for p in ("preserve", "random", "next")]
FEATURED = [f"EIM/APDF, IPv6 {f}, port mapping" for f in range(30)]
FIGURES = {
    "configurations": success.by_configuration,
    "matrix": lambda record: success.matrix(record, record.configurations[-1]),
    "turn": success.turn,
    "times": success.times,
    "sensitivity": lambda record: success.sensitivity(record, [HOME, MOBILE]),
}
RECORDS = {
    "campaign": campaign(calls=60),
    "no failures": record_of(attempts_between([(OPEN, CONE)] * 4)),
    "all failures": record_of(attempts_between([(SYMMETRIC,) * 2] * 4, (STUN_ONLY,))),
    "one configuration": campaign(calls=20, configurations=(LADDER,)),
    "one call": campaign(calls=1),
    "at once": record_of(table([row(0, STUN_ONLY, OPEN, OPEN, "direct", 0.0)])),
    "many places": record_of(attempts_between([(a, b) for a in MANY for b in [*MANY, BLOCKED]])),
    "places with features": record_of(attempts_between([(OPEN, name) for name in FEATURED])),
    "many configurations": campaign(calls=9, configurations=[f"TURN {n}" for n in range(8)]),
}


@pytest.fixture(params=FIGURES)
def make(request):
    return FIGURES[request.param]


def lines(axes, label):
    return [line for line in axes.get_lines() if line.get_label() == label]


def line(axes, label):
    (found,) = lines(axes, label)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RECORDS if name != "campaign"])
def test_every_figure_of_any_campaign_fits_the_page(make, name):
    fits(make(RECORDS[name]))


@pytest.mark.slow
def test_the_same_record_gives_the_same_bytes_that_fit_the_page(make):
    assert fits(make(RECORDS["campaign"])) == make(RECORDS["campaign"]).svg()


def fits(figure):
    """Check that a figure fits the page; returns it as drawn."""
    drawn = figure.svg()
    ElementTree.fromstring(drawn)
    assert figure.get_figwidth() == WIDTH_IN
    assert 1.5 < figure.get_figheight() < 11  # no taller than a sheet of paper
    assert "http" not in re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", drawn)
    assert len(figure.alt) > 20
    return drawn


def test_each_configuration_s_shares_stand_in_its_row():
    record = RECORDS["campaign"]
    (axes,) = success.by_configuration(record).axes
    rows = success_table(record.attempts)
    assert [label.get_text() for label in axes.get_yticklabels()] == [STUN_ONLY, TURN, LADDER]
    for column, words in (
        ("direct_capable", "direct-capable"),
        ("selected_direct", "selected direct"),
        ("connected", "connected"),
    ):
        drawn = line(axes, words)
        np.testing.assert_array_equal(drawn.get_xdata(), rows[column])
        assert np.rint(drawn.get_ydata()).tolist() == [0, 1, 2]
    bars = np.concatenate([bar.get_segments() for bar in axes.collections])
    ends = {tuple(bar[:, 0]) for bar in bars}
    assert set(zip(rows["connected_low"], rows["connected_high"], strict=True)) <= ends
    assert line(axes, "target 80%").get_xdata()[0] == 0.8


def test_the_figures_look_different_without_colour():
    (axes,) = success.by_configuration(RECORDS["campaign"]).axes
    markers = [drawn.get_marker() for drawn in axes.get_lines() if drawn.get_marker() != "None"]
    assert len(set(markers)) == 3
    (axes,) = success.times(RECORDS["campaign"]).axes
    assert len({drawn.get_linestyle() for drawn in axes.get_lines()}) == 3


def test_the_matrix_is_the_rule_whoever_called():
    names = [SYMMETRIC, PORT_RESTRICTED, CONE]
    one_way = [(a, b) for n, a in enumerate(names) for b in names[n:]]
    record = record_of(attempts_between(one_way))
    figure = success.matrix(record, STUN_ONLY)
    (image,) = figure.axes[0].get_images()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == names[::-1]
    assert image.get_array().tolist() == [[100, 100, 100], [100, 100, 0], [100, 0, 0]]
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words.count("100\n(1)") == 6
    assert words.count("0\n(1)") == 3


def test_a_pair_that_was_not_tried_is_a_dash():
    record = record_of(attempts_between([(CONE, SYMMETRIC)]))
    words = [text.get_text() for text in success.matrix(record, TURN).axes[0].texts]
    assert sorted(words)[2:] == ["–", "–"]


@pytest.mark.parametrize("name", RECORDS)
def test_the_parts_of_a_configuration_add_up(name):
    (axes,) = success.turn(RECORDS[name]).axes
    widths = np.array([[bar.get_width() for bar in part] for part in axes.containers])
    assert (widths >= -1e-12).all()
    assert widths.sum(axis=0) == pytest.approx(1)
    direct = success_table(RECORDS[name].attempts)["selected_direct"]
    np.testing.assert_allclose(widths[0], direct)


CONNECTS = st.lists(st.tuples(st.floats(0.01, 30), st.booleans()), min_size=1, max_size=20)


@examples(10)
@given(calls=CONNECTS)
def test_a_curve_ends_at_the_share_that_connected(calls):
    rows = [
        row(n, STUN_ONLY, OPEN, OPEN, "direct" if connects else "failed", time_s)
        for n, (time_s, connects) in enumerate(calls)
    ]
    (axes,) = success.times(record_of(table(rows))).axes
    curve = line(axes, STUN_ONLY)
    assert curve.get_ydata()[0] == 0
    assert curve.get_ydata()[-1] == pytest.approx(np.mean([connects for _, connects in calls]))
    assert axes.get_xlim()[0] < min(row_["observed_s"] for row_ in rows)
    assert axes.get_xlim()[1] > max(row_["observed_s"] for row_ in rows)


def test_no_connection_says_so():
    (axes,) = success.times(RECORDS["all failures"]).axes
    assert [text.get_text() for text in axes.texts] == ["No call connected."]


def test_populations_stand_in_their_rows_with_their_rates():
    record = RECORDS["campaign"]
    left, right = success.sensitivity(record, [HOME, MOBILE]).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["home", "mobile"]
    for configuration in record.configurations:
        expected = [
            rate_within(
                record.of(configuration), "direct", population, np.random.default_rng(0)
            ).both.value
            for population in (HOME, MOBILE)
        ]
        np.testing.assert_allclose(line(left, configuration).get_xdata(), expected)
    assert line(right, "home as it is").get_xdata()[0] == pytest.approx(0.1)


def test_the_simulation_s_error_is_drawn_within_the_population_s_interval():
    record = RECORDS["campaign"]
    left, right = success.sensitivity(record, [HOME, MOBILE]).axes
    (low,) = lines(left, "simulation error alone")
    assert low.get_marker() == "|"
    rows = sensitivity(
        record.attempts, "direct", [HOME, MOBILE], np.random.default_rng(20), "home"
    ).query("configuration == @STUN_ONLY")
    np.testing.assert_allclose(low.get_xdata(), rows["simulation_low"])
    assert (low.get_xdata() >= rows["rate_low"] - 1e-9).all()
    assert right.patches  # how uncertain the population's own share is


def test_up_to_which_share_the_target_is_reached_is_drawn_on_its_line():
    record = campaign(calls=600, configurations=(STUN_ONLY,))
    _, right = success.sensitivity(record, [HOME]).axes
    (drawn,) = [part for part in right.collections if isinstance(part, LineCollection)]
    (segment,) = drawn.get_segments()
    bears = borne(record.attempts, "direct", HOME, 0.8, np.random.default_rng(20)).tolerated
    assert segment.tolist() == [[bears.low, 0.8], [bears.high, 0.8]]
    assert bears.low < bears.value < bears.high


def test_the_curve_of_symmetric_nats_is_the_square_where_all_else_is_port_restricted():
    population = Drawn("two", {PORT_RESTRICTED: 0.9, SYMMETRIC: 0.1})
    record = campaign(population, calls=300, configurations=(STUN_ONLY,))
    curve = success.sensitivity(record, [population]).axes[1].get_lines()[0]
    shares, rates = curve.get_xdata(), curve.get_ydata()
    np.testing.assert_allclose(rates, (1 - shares) ** 2, atol=1e-12)
    assert shares[rates >= 0.8].max() == pytest.approx(0.106, abs=0.01)


def test_too_few_pairs_are_said_to_be_too_few():
    _, right = success.sensitivity(RECORDS["no failures"], [HOME]).axes
    assert [text.get_text() for text in right.texts] == ["Too few pairs of places were tried."]
