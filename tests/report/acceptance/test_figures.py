"""Figures of acceptance tests, compared with the record's data."""

import math

import numpy as np
import pytest

from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import TESTS
from jamlab.report.acceptance import figures as levels
from tests.measure.acceptance.runs import NAMES, record_with, whole_record

EVERY = {
    "captured": levels.captured,
    "spectra": levels.spectra,
    "three": lambda record: levels.tones(record, "three-users-at-once"),
    "blocked": lambda record: levels.tones(record, "connection-blocked"),
    "apart": levels.apart,
    "one way": lambda record: levels.clicks(record, "two-users-on-one-network"),
    "round trip": lambda record: levels.clicks(record, "loopback-round-trip"),
}


@pytest.fixture(scope="module")
def record():
    return whole_record(TESTS)


def line(axes, label):
    (found,) = [each for each in axes.lines if each.get_label() == label]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


@pytest.mark.slow
@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_every_figure_is_drawn_the_same_each_time_and_says_what_it_shows(record, draw):
    figure = draw(record)
    assert figure.svg() == draw(record).svg()
    assert len(figure.alt) > 20


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_of_nothing_there_is_no_figure(draw):
    assert draw(AcceptanceRecord.of_findings([], [], failed={})) is None


def test_captured_levels_stand_beside_what_was_played_by_itself():
    finding = Finding("local-capture")
    finding.draw("levels", "captured, left", [0, 1], [-6, -50])
    finding.draw("levels", "played by itself, left", [0, 1], [-144, -144])
    left, right = levels.captured(record_with(finding)).axes
    np.testing.assert_allclose(line(left, "captured")[1], [-6, -50])
    np.testing.assert_allclose(line(left, "played by itself")[1], levels.SILENCE_DBFS)
    assert left.get_title(loc="left") == "left channel"
    assert len(line(right, "captured")[0]) == 0


def test_spectra_are_of_what_can_be_heard():
    finding = Finding("two-users-on-one-network")
    for series in ("heard", "codec alone"):
        finding.draw("a → b", series, [0, 100, 1000, 23_000], [-90, -80, -20, -100])
    (axes,) = levels.spectra(record_with(finding)).axes
    for series in ("heard", "codec alone"):
        np.testing.assert_allclose(line(axes, series)[0], [100, 1000])
    assert axes.get_xscale() == "log"
    assert axes.get_title(loc="left") == "a → b"


def test_tones_have_a_panel_per_listener_and_a_curve_per_sender(record):
    figure = levels.tones(record, "three-users-at-once")
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        f"heard by {name}" for name in NAMES
    ]
    for axes in figure.axes:
        for number, name in enumerate(NAMES):
            np.testing.assert_allclose(line(axes, f"from {name}")[1], -20 - number)


def test_what_was_done_is_a_line_and_what_was_told_a_mark_of_its_own_listener(record):
    figure = levels.tones(record, "connection-blocked")
    for axes in figure.axes:
        assert line(axes, "the firewall opens")[0][0] == 0.5
        told = [each for each in axes.lines if each.get_label() == "notice"]
        assert len(told) == (axes.get_title(loc="left") == "heard by player 1")
    assert line(figure.axes[0], "notice")[0].tolist() == [1.5]


class TestApart:
    def figure(self, latencies_ms):
        finding = Finding("different-networks")
        for path in ("a → b", "b → a"):
            finding.draw("latency", f"home to home, {path}", range(len(latencies_ms)), latencies_ms)
        return levels.apart(record_with(finding))

    def test_a_panel_per_pair_of_networks_with_both_ways(self):
        (axes,) = self.figure([29.0, 30.0]).axes
        assert axes.get_title(loc="left") == "home to home"
        for path in ("a → b", "b → a"):
            np.testing.assert_allclose(line(axes, path)[1], [29, 30])

    @pytest.mark.parametrize(("latencies_ms", "top_ms"), [([29.0], 115), ([200.0], 230)])
    def test_the_target_is_always_on_it(self, latencies_ms, top_ms):
        (axes,) = self.figure(latencies_ms).axes
        assert axes.get_ylim() == (0, pytest.approx(top_ms))

    def test_clicks_nobody_heard_leave_a_figure(self):
        (axes,) = self.figure([math.nan]).axes
        assert axes.get_ylim()[1] == pytest.approx(115)


def test_clicks_are_drawn_only_for_a_test_that_was_asked_for():
    record = record_with(Finding("two-users-on-one-network"))
    assert levels.clicks(record, "loopback-round-trip") is None
