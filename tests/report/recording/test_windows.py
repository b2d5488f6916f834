"""The figure of a long recording: three panels over time."""

import numpy as np
import pytest

from jamlab.report.recording.windows import LONG_S, MOST_DRAWN, windows
from tests.measure.recording.records import arrival, beats, recording_record


def long_record(*arrivals, seconds=LONG_S + 1, every_s=None, **options):
    record = recording_record(*arrivals, **options)
    record.provenance["recordings"][0]["seconds"] = seconds
    record.provenance["parameters"]["every_s"] = every_s
    return record


def test_panels_have_latency_drops_and_skew():
    """30 ms, a quarter of the clicks from 20 s to 40 s dropped, and a pause from 60 s to 90 s."""
    sent = beats(236)
    paused = (sent > 60) & (sent < 90)
    late = np.where((sent > 20) & (sent < 40) & (np.arange(236) % 4 == 1), np.nan, sent + 0.03)
    times = [np.where(paused, np.nan, each) for each in (sent, late)]
    record = long_record(
        arrival(1, times[0]), arrival(2, times[1], channel=2), target_ms=40, every_s=20
    )
    figure = windows(record)
    latency, drops, skew = figure.axes
    line, target = latency.get_lines()
    assert line.get_xdata() * 60 == pytest.approx([10, 30, 50, 70, 90, 110])
    assert line.get_ydata()[:3] == pytest.approx(30.0)
    assert np.isnan(line.get_ydata()[3])
    assert target.get_ydata() == pytest.approx([40, 40])
    share = drops.get_lines()[0].get_ydata()
    assert share[[0, 2, 5]] == pytest.approx(0)
    assert share[1] == pytest.approx(25, abs=1)
    assert skew.get_lines()[0].get_ydata()[:2] == pytest.approx(0, abs=1e-3)
    assert latency.get_shared_x_axes().joined(latency, skew)
    assert figure.svg()


def test_a_short_recording_has_it_only_where_windows_were_asked_for():
    assert windows(long_record(seconds=LONG_S)).data == ""
    assert len(windows(long_record(seconds=45.0, every_s=5)).axes) == 3
    assert "windows of 10 s" in windows(long_record()).axes[0].get_title("left")


def test_each_delay_has_a_colour_up_to_a_number_and_none_is_told():
    many = long_record(*(arrival(n, beats(30, 0.01 * n), channel=n) for n in range(1, 6)))
    lines = windows(many).axes[0].get_lines()
    assert len(lines) == len({line.get_color() for line in lines}) == MOST_DRAWN
    none = windows(long_record(arrival(1, beats(9)))).axes[0]
    assert "No voice arrives twice" in none.texts[0].get_text()
    few = windows(long_record(arrival(1, beats(6)), arrival(2, beats(6, 0.02), channel=2)))
    assert "how fast" in few.axes[2].texts[0].get_text()
