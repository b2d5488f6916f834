"""Tests of jamlab.report.rig.figures."""

import pytest

from jamlab.report.rig import comparison, over_time
from tests.measure.rig.records import rig_record, steady


@pytest.mark.parametrize("heard", [30.0, None])
def test_every_figure_is_drawn_whatever_was_heard(heard):
    record = rig_record(steady(heard) if heard else lambda *_: None)
    for drawn in (comparison([record]), over_time(record)):
        assert drawn.svg().startswith("<svg")
        assert len(drawn.alt) > 20


def test_the_bars_are_the_medians_of_the_worst_paths():
    slow, quick = rig_record(steady(60.0), system="slow"), rig_record(steady(20.0), system="quick")
    (axes,) = comparison([slow, quick]).axes
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([20.1, 60.1], abs=0.1)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["quick", "slow"]
    assert axes.get_xlim()[1] > 60.3


def test_a_system_that_was_hardly_heard_has_no_bar():
    deaf = rig_record(lambda *_: None, system="deaf")
    (axes,) = comparison([deaf, rig_record(steady(20.0))]).axes
    assert len(axes.patches) == 1
    assert any("never heard" in text.get_text() for text in axes.texts)


def test_a_name_is_text_and_no_formula():
    assert over_time(rig_record(steady(20.0), system="$x^2$")).svg().startswith("<svg")
