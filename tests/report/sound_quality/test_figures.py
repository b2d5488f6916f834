"""Tests of jamlab.report.sound_quality.figures."""

import numpy as np

from jamlab.report.sound_quality import frontier
from tests.measure.sound_quality.records import quality_record

FIGURES = {120: [(9.0, 4.9), (10.0, 4.7)], 480: [(14.0, 4.95)], 960: [(25.0, 4.4)]}


def test_every_encoding_is_a_point_and_the_frontier_a_line():
    (axes,) = frontier(quality_record(FIGURES)).axes
    steps = next(line for line in axes.lines if line.get_label() == "frontier")
    assert np.array_equal(steps.get_xdata(), [9.5, 14.0])
    assert {text.get_text() for text in axes.texts} == {"2.5 ms", "10 ms", "20 ms"}


def test_without_the_figure_the_panel_says_why():
    figure = frontier(quality_record({120: [(9.0, float("nan"))]}))
    assert "no package for this machine" in " ".join(figure.axes[0].texts[0].get_text().split())
