"""The still picture of meters and its tables, from made-up levels."""

import numpy as np
import pytest

from jamlab.audio.ballistics import Levels
from jamlab.audio.level_history import PastLevel
from jamlab.report.live_mesh.meters import LOWEST_DBFS, history_table, levels_table, picture

NAMES = ("ada", "ben")
LEVELS = Levels(
    peak_dbfs=np.array([[-6.04, -12.0], [-144.0, -1.0]]),
    rms_dbfs=np.array([[-9.0, -20.0], [-144.0, -4.0]]),
    hold_dbfs=np.array([[-3.0, -12.0], [-144.0, 0.0]]),
    clipped=np.array([[False, False], [False, True]]),
)
HISTORY = (
    PastLevel(1.0, "ada", -6.0, -12.0),
    PastLevel(1.0, "cleo", -20.0, -30.0),
    PastLevel(2.0, "ada", -144.0, -144.0),
)


def test_the_history_is_a_row_a_line():
    table = history_table(HISTORY)
    assert table["name"].tolist() == ["ada", "cleo", "ada"]
    assert table["rms_dbfs"].tolist() == [-12.0, -30.0, -144.0]
    empty = history_table([])
    assert list(empty) == list(table)
    assert empty.dtypes.tolist() == table.dtypes.tolist()


def test_the_levels_are_a_row_a_participant_to_a_tenth():
    table = levels_table(NAMES, LEVELS)
    assert table.loc["ada"].tolist() == [-3.0, -12.0, -9.0, -20.0, False, False]
    assert table.loc["ben", "clip right"]


def bars(axes):
    return [(bar.get_x() + bar.get_width()) for bar in axes.patches if bar.get_width()]


def test_the_picture_has_everybodys_bars_and_history_and_who_has_left():
    figure = picture(NAMES, LEVELS, HISTORY)
    now, then = figure.axes[::2], figure.axes[1::2]
    assert [axes.get_title(loc="left") for axes in now] == ["ada", "ben", "cleo"]
    assert bars(now[0]) == pytest.approx([-6.04, -12.0, -9.0, -20.0])
    assert [text.get_text() for text in now[1].texts] == ["CLIP"]
    assert [text.get_text() for text in now[2].texts] == ["has left"]
    peak, rms = then[0].lines[:2]
    assert peak.get_xydata().tolist() == [[1.0, -6.0], [2.0, LOWEST_DBFS]]
    assert rms.get_ydata().tolist() == [-12.0, LOWEST_DBFS]
    assert "<svg" in figure.svg()


def test_nobody_is_told_in_words():
    nothing = np.zeros((0, 2))
    figure = picture((), Levels(nothing, nothing, nothing, nothing.astype(bool)), [])
    assert [text.get_text() for text in figure.axes[0].texts] == ["There were no participants."]
    assert figure.svg()


@pytest.mark.parametrize(
    "table",
    [
        levels_table(("$x$", "$$"), LEVELS),
        history_table([PastLevel(1.0, "$x$", -6.0, -12.0)]),
    ],
    ids=["levels", "history"],
)
def test_a_name_with_dollars_is_no_formula(table):
    html = table._repr_html_()
    assert "mathjax_ignore" in html[: html.index("$")]
