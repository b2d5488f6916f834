"""Tests of jamlab.report.browser.figures."""

import math

import pytest

from jamlab.report.browser import buffers, over_time, waterfall
from tests.measure.browser.records import STREAM, browser_record, steady


@pytest.mark.parametrize("figure", [buffers, over_time, waterfall])
@pytest.mark.parametrize("heard", [30.0, None])
def test_every_figure_is_drawn_whatever_was_heard(figure, heard):
    latency = steady(heard) if heard else lambda *_: None
    drawn = figure(browser_record(latency))
    assert drawn.svg().startswith("<svg")
    assert len(drawn.alt) > 20


def test_the_bars_add_up_to_the_measured_one():
    (axes,) = waterfall(browser_record(steady(75.0))).axes
    *stages, measured = axes.patches
    assert sum(bar.get_width() for bar in stages) == pytest.approx(measured.get_width())
    assert stages[-1].get_x() + stages[-1].get_width() == pytest.approx(measured.get_width())


def test_a_buffer_that_is_not_stated_is_said():
    stream = {**STREAM, "jitter_buffer_ms": math.nan}
    (axes,) = buffers(browser_record(steady(30.0), stream=stream)).axes
    assert "did not state" in axes.texts[0].get_text()


def test_clicks_that_were_not_heard_are_marked():
    record = browser_record(lambda _a, b, *_: 30.0 if b == "player 1" else None)
    first, second = over_time(record).axes
    labels = [axes.get_legend_handles_labels()[1] for axes in (first, second)]
    assert "not heard" not in labels[0]
    assert "not heard" in labels[1]
