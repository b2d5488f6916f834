"""The figure of a recording's delays."""

import numpy as np
import pytest

from jamlab.report.recording.figures import MOST_DRAWN, delays
from tests.measure.recording.records import arrival, beats, recording_record


def test_each_delay_has_a_panel_with_target_and_drops():
    times = beats(30, 0.03)
    times[7] = np.nan
    figure = delays(
        recording_record(arrival(1, beats(30)), arrival(2, times, channel=2), target_ms=25)
    )
    (axes,) = figure.axes
    heard, dropped, target = axes.get_lines()
    assert len(heard.get_xdata()) == 29
    assert heard.get_ydata() == pytest.approx(30.0)
    assert dropped.get_xdata() == pytest.approx([beats(30)[7]])
    assert target.get_ydata() == pytest.approx([25, 25])
    assert figure.svg()


def test_a_steady_delay_is_not_blown_up():
    (axes,) = delays(recording_record()).axes
    low, high = axes.get_ylim()
    assert high - low == pytest.approx(0.2)
    assert low < 30 < high


def test_many_delays_are_cut_and_none_is_told():
    many = recording_record(*(arrival(n, beats(9, 0.01 * n), channel=n) for n in range(1, 6)))
    assert len(delays(many).axes) == MOST_DRAWN
    none = delays(recording_record(arrival(1, beats(9)))).axes[0]
    assert "No voice arrives twice" in none.texts[0].get_text()


def test_hours_of_clicks_are_an_image():
    hour = recording_record(arrival(1, beats(7000)), arrival(2, beats(7000, 0.03), channel=2))
    assert len(delays(hour).svg()) < 200_000
