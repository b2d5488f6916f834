import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.measure.latency.verdicts import floor_ms
from jamlab.report.latency import paths
from jamlab.report.page.figures import TARGETS_MS
from tests.examples import examples
from tests.report.latency.records import drawn_record

MEASUREMENTS = (ONE_WAY, ROUND_TRIP)
records = st.builds(
    drawn_record,
    peers=st.integers(2, 6),
    clicks=st.integers(1, 40),
    missed=st.sampled_from([0.0, 0.1, 0.9, 1.0]),
    seed=st.integers(0, 99),
)


def lines(axes, label):
    return [line for line in axes.get_lines() if line.get_label() == label]


def line(axes, label):
    (found,) = lines(axes, label)
    return found


def drawn_clicks(axes):
    return {
        drawn.get_label().removeprefix("from "): drawn.get_xydata()
        for drawn in axes.get_lines()
        if drawn.get_label().startswith("from ")
    }


def panel_of(figure, receiver):
    (axes,) = [axes for axes in figure.axes if f"by {receiver}:" in axes.get_title(loc="left")]
    return axes


@examples(12)
@given(record=records, measurement=st.sampled_from(MEASUREMENTS))
def test_over_time_draws_every_click_and_hides_none_that_was_missed(record, measurement):
    figure = paths.over_time(record, measurement)
    clicks = record.clicks[record.clicks["measurement"] == measurement]

    def begun(rows):
        """Return when clicks were emitted, as if a session began a moment after the last's end."""
        ends_s = [clicks.loc[clicks["session"] == n, "emitted_s"].max() for n in range(5)]
        begins_s = [sum(end + 0.25 for end in ends_s[:n] if end == end) for n in range(5)]
        return [
            (begins_s[row.session] + row.emitted_s, row.latency_ms) for row in rows.itertuples()
        ]

    assert len(figure.axes) == len(paths.players(record))
    for receiver, here in clicks.groupby("receiver"):
        axes = panel_of(figure, receiver)
        drawn = drawn_clicks(axes)
        assert set(drawn) == set(here["sender"])
        for sender, path in here.groupby("sender"):
            at_s, _ = zip(*begun(path), strict=True)
            expected = np.column_stack([at_s, path["latency_ms"]])
            np.testing.assert_allclose(drawn[sender], expected)
        missed = [at_s for at_s, latency_ms in begun(here) if math.isnan(latency_ms)]
        crosses = [s for found in lines(axes, "not heard") for s in found.get_xdata()]
        assert sorted(crosses) == pytest.approx(sorted(missed))


@pytest.mark.parametrize("measurement", MEASUREMENTS)
@pytest.mark.parametrize("peers", [2, 3, 6])
def test_target_and_floor_are_in_view_in_every_panel(peers, measurement):
    record = drawn_record(peers)
    for axes in paths.over_time(record, measurement).axes:
        (target_ms, _), (least_ms, _) = (
            line(axes, f"target {TARGETS_MS[measurement]:g} ms").get_ydata(),
            line(axes, f"physical floor {floor_ms(record, measurement):.1f} ms").get_ydata(),
        )
        assert target_ms == TARGETS_MS[measurement]
        assert least_ms == pytest.approx(floor_ms(record, measurement))
        bottom_ms, top_ms = axes.get_ylim()
        assert bottom_ms <= least_ms < target_ms < top_ms


def test_the_slowest_click_is_in_view():
    record = drawn_record()
    record.clicks.loc[3, "latency_ms"] = 712.0
    assert all(axes.get_ylim()[1] > 712 for axes in paths.over_time(record).axes)
    assert paths.distribution(record).axes[0].get_xlim()[1] > 712


def test_missed_clicks_are_visible_markers_and_counted_in_the_title():
    record = drawn_record(missed=0.2)
    missed = int(record.clicks.query("measurement == @ONE_WAY")["latency_ms"].isna().sum())
    counted = 0
    for axes in paths.over_time(record).axes:
        crosses = line(axes, "not heard")
        assert crosses.get_marker() == "x"
        assert crosses.get_visible()
        assert 0 < crosses.get_ydata()[0] < 1
        assert crosses.get_transform() == axes.get_xaxis_transform()
        assert f"{len(crosses.get_xdata())} of " in axes.get_title(loc="left")
        counted += len(crosses.get_xdata())
    assert counted == missed > 0


def test_axes_name_their_units():
    figure = paths.over_time(drawn_record(3))
    assert figure.axes[0].get_ylabel() == "latency (ms)"
    assert "(s)" in figure.axes[-1].get_xlabel()


@examples(12)
@given(record=records)
def test_a_curve_is_the_share_of_emitted_clicks_that_had_arrived(record):
    figure = paths.distribution(record)
    names = paths.players(record)
    for axes, measurement in zip(figure.axes, MEASUREMENTS, strict=True):
        clicks = record.clicks[record.clicks["measurement"] == measurement]
        curves = [c for c in axes.get_lines() if c.get_label().startswith("from ")]
        groups = list(clicks.groupby(["sender", "receiver"], sort=False))
        assert len(curves) == len(groups) == len(names) * (len(names) - 1)
        for curve, ((sender, _), path) in zip(curves, groups, strict=True):
            assert curve.get_label() == f"from {sender}"
            at_ms = float(path["latency_ms"].quantile(0.5))
            arrived = (path["latency_ms"] <= at_ms).mean()
            x_ms, share = curve.get_xdata(), curve.get_ydata()
            drawn = 0.0 if math.isnan(at_ms) else share[np.searchsorted(x_ms, at_ms, "right") - 1]
            assert drawn == pytest.approx(arrived)
            assert share[-1] == pytest.approx(path["latency_ms"].notna().mean())


def test_the_distribution_shows_targets_floors_and_the_share_that_is_judged():
    record = drawn_record()
    for axes, measurement in zip(paths.distribution(record).axes, MEASUREMENTS, strict=True):
        assert line(axes, "target").get_xdata()[0] == TARGETS_MS[measurement]
        floor = line(axes, "physical floor").get_xdata()[0]
        assert floor == pytest.approx(floor_ms(record, measurement))
        assert line(axes, "95 %").get_ydata()[0] == 0.95


@pytest.mark.parametrize("peers", [2, 3, 6])
def test_the_map_of_pairs_is_the_table_s_medians(peers):
    record = drawn_record(peers, missed=0.1)
    (image,) = paths.pair_medians(record).axes[0].get_images()
    medians = np.ma.filled(image.get_array(), np.nan)
    names = paths.players(record)
    heard = record.clicks.query("measurement == @ONE_WAY").dropna(subset="latency_ms")
    table = heard.groupby(["sender", "receiver"])["latency_ms"].median()
    assert medians.shape == (peers, peers)
    assert np.isnan(np.diag(medians)).all()
    for (sender, receiver), median_ms in table.items():
        drawn = medians[names.index(sender), names.index(receiver)]
        assert drawn == pytest.approx(median_ms)


def test_a_pair_that_was_not_heard_says_so():
    figure = paths.pair_medians(drawn_record(3, missed=1.0))
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words.count("not heard") == 6
    assert words.count("–") == 3
