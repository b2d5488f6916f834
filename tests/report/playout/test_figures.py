"""Tests of jamlab.report.playout.figures."""

import pandas as pd
import pytest

from jamlab.measure.playout.record import BEST_SPLICED, PlayoutRecord
from jamlab.report.playout import playout_figure
from tests.measure.playout.records import playout_record


def side_by_side(count):
    """Return a record of several traces, with the bound of splices."""
    records = [playout_record(trace=f"trace {n}") for n in range(count)]
    playbacks, bounds, streams = (
        pd.concat([getattr(each, name) for each in records]) for name in PlayoutRecord.TABLES
    )
    bounds = pd.concat([bounds, bounds.assign(bound=BEST_SPLICED, delay_ms=float("inf"))])
    return PlayoutRecord(playbacks, bounds, streams, records[0].provenance)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_trace_has_a_panel(count):
    figure = playout_figure(side_by_side(count))
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == [f"trace {n}" for n in range(count)]
    assert figure.svg().startswith("<svg")
    assert len(figure.alt) > 20


def test_a_curve_has_the_buffer_s_points_and_a_bound_its_own():
    (axes,) = playout_figure(side_by_side(1)).axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn["jamlab"] == [[10.0, pytest.approx(0.05)], [10.0, pytest.approx(0.5)]]
    assert drawn["constant, each size"] == [[12.0, 2.0], [50.0, 0.005]]
    assert drawn["best per second"] == [[9.0, pytest.approx(0.1)], [9.0, pytest.approx(1.0)]]


def test_a_name_is_text_and_no_formula():
    assert playout_figure(playout_record(trace="_$x^2$")).svg().startswith("<svg")
