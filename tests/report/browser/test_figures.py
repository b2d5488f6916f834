"""Tests of jamlab.report.browser.figures."""

import math

import pytest

from jamlab.measure.browser.plan import BrowserPlan
from jamlab.report.browser import buffers, over_time, waterfall
from tests.measure.browser.records import STREAM, URL, browser_record, steady


@pytest.mark.slow
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


def test_stages_that_overlap_are_said_to():
    overlapping = waterfall(browser_record(steady(60.0)))  # the stages add up to 62 ms
    assert "The browser's stages overlap by 1.87 ms" in overlapping.get_suptitle()
    assert waterfall(browser_record(steady(75.0))).get_suptitle() == ""


def test_every_line_of_the_buffers_has_an_entry_of_its_colour_and_its_style():
    figure = buffers(browser_record(steady(30.0), sessions=5))
    (axes,) = figure.axes
    handles, labels = axes.get_legend_handles_labels()
    assert labels == [
        "player 1 → player 2",
        "player 2 → player 1",
        "session 1, 5",
        "session 2",
        "session 3",
        "session 4",
        "target of the browser",
    ]
    colours = {handle.get_color() for handle in handles[:2]}
    styles = {handle.get_linestyle() for handle in handles[2:6]}
    drawn = [line for line in axes.lines if len(line.get_xdata())]
    assert {line.get_color() for line in drawn} == colours
    assert {line.get_linestyle() for line in drawn} == styles


def test_the_legend_of_the_buffers_is_not_cut():
    plan = BrowserPlan(URL, peers=6, duration_s=60.0)
    figure = buffers(browser_record(steady(30.0), plan=plan, clicks=2))
    figure.draw_without_rendering()
    (below,) = figure.legends
    box, page = below.get_window_extent(), figure.bbox
    assert box.x0 >= page.x0
    assert box.x1 <= page.x1
    assert box.y0 >= page.y0
    assert box.y1 < figure.axes[0].get_window_extent().y0


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
