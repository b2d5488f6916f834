import numpy as np
import pytest

from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.report.latency import click
from tests.report.latency.records import drawn_record

MEASUREMENTS = (ONE_WAY, ROUND_TRIP)


def shown(record, measurement):
    """Return the excerpt of a measurement and the latency of its click."""
    excerpt = record.waveforms[record.waveforms["measurement"] == measurement]
    clicks = record.clicks[record.clicks["measurement"] == measurement]
    return excerpt, clicks["latency_ms"].iloc[0]


def vertical(axes, label):
    return [line.get_xdata()[0] for line in axes.get_lines() if line.get_label() == label]


def test_waveforms_are_the_record_s_emitted_above_played():
    record = drawn_record()
    panels = click.waveforms(record).axes
    assert len(panels) == 4
    for number, measurement in enumerate(MEASUREMENTS):
        excerpt, latency_ms = shown(record, measurement)
        for axes, column in zip(panels[2 * number :], ("emitted", "played"), strict=False):
            np.testing.assert_array_equal(axes.get_lines()[0].get_xdata(), excerpt["time_ms"])
            np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), excerpt[column])
            assert vertical(axes, "emitted") == [0]
            assert vertical(axes, "found") == [latency_ms]


def test_the_correlation_peak_is_marked_where_the_click_was_found():
    record = drawn_record()
    for axes, measurement in zip(click.correlation(record).axes, MEASUREMENTS, strict=True):
        excerpt, latency_ms = shown(record, measurement)
        curve = axes.get_lines()[0]
        np.testing.assert_array_equal(curve.get_ydata(), excerpt["correlation"])
        (mark,) = [line for line in axes.get_lines() if line.get_label() == "found"]
        assert mark.get_xdata()[0] == latency_ms
        assert mark.get_ydata()[0] == pytest.approx(excerpt["correlation"].max(), abs=0.01)
        assert f"{latency_ms:.2f} ms" in axes.texts[0].get_text()


def test_the_detection_threshold_is_drawn():
    levels = [
        line.get_ydata()[0]
        for line in click.correlation(drawn_record()).axes[0].get_lines()
        if line.get_label().startswith("threshold")
    ]
    assert levels == [click.THRESHOLD]
    assert abs(click.THRESHOLD - 0.31) < 0.005  # as jamlab.measure.latency.clicks says


def test_a_click_that_was_not_heard_is_said_to_be_so():
    record = drawn_record(missed=1.0)
    for axes in click.correlation(record).axes:
        assert vertical(axes, "found") == []
        assert "not heard" in axes.texts[0].get_text()
    assert "not heard" in click.waveforms(record).axes[1].get_title(loc="left")


def test_a_click_found_after_the_excerpt_is_said_to_be_so():
    record = drawn_record()
    record.clicks["latency_ms"] += 500.0
    for axes in click.correlation(record).axes:
        assert vertical(axes, "found") == []
        assert "after this excerpt" in axes.texts[0].get_text()


def test_axes_name_their_units():
    for figure in (click.waveforms(drawn_record()), click.correlation(drawn_record())):
        assert "(ms)" in figure.axes[-1].get_xlabel()
        assert all("(" in axes.get_ylabel() for axes in figure.axes)
