"""Tests of jamlab.report.latency.click_times."""

import math

import pandas as pd
import pytest

from jamlab.report.latency.click_times import clicks_over_time


def clicks(latency_ms):
    rows = [
        (session, a, b, 0.1 * number, latency_ms(b))
        for session in range(2)
        for a, b in (("ada", "ben"), ("ben", "ada"))
        for number in range(10)
    ]
    return pd.DataFrame(rows, columns=["session", "sender", "receiver", "emitted_s", "latency_ms"])


def test_every_receiver_has_a_panel_with_its_clicks_and_the_target():
    figure = clicks_over_time(clicks(lambda b: 30.0 if b == "ada" else math.nan), 50.0)
    first, second = figure.axes
    assert first.get_title("left") == "heard by ada"
    dots = next(line for line in first.lines if line.get_label() == "from ben")
    assert list(dots.get_ydata()) == [30.0] * 20
    assert "not heard" not in first.get_legend_handles_labels()[1]
    assert "not heard" in second.get_legend_handles_labels()[1]
    assert first.get_ylim()[1] == pytest.approx(57.5)
