from itertools import pairwise

import numpy as np
import pytest

from jamlab.measure.stages import STAGES
from jamlab.measure.summary import floor_ms
from jamlab.report import breakdown
from tests.measure.records import STAGES_MS
from tests.report.records import RESIDUAL_MS, drawn_record


def bars(axes):
    """Return (row, start, end) of every bar."""
    return [
        (round(bar.get_y() + bar.get_height() / 2), bar.get_x(), bar.get_x() + bar.get_width())
        for bar in axes.patches
    ]


def test_the_bars_are_the_stages_and_add_up_to_what_was_measured():
    record = drawn_record(missed=0.1)
    axes = breakdown.waterfall(record).axes[0]
    drawn = bars(axes)[: len(STAGES) + 2]
    lengths_ms = [end - start for _, start, end in drawn]
    heard_ms = record.clicks.query("measurement == 'one way'")["latency_ms"].mean()
    np.testing.assert_allclose(lengths_ms[:-2], STAGES_MS)
    assert lengths_ms[-1] == pytest.approx(heard_ms)
    assert sum(lengths_ms[:-1]) == pytest.approx(lengths_ms[-1])


def test_each_bar_begins_where_the_last_one_ended():
    *stages, _measured = bars(breakdown.waterfall(drawn_record()).axes[0])[: len(STAGES) + 2]
    assert stages[0][1] == 0
    for (_, _, end), (_, start, _) in pairwise(stages):
        assert start == pytest.approx(end)


def test_the_residual_is_shown_with_its_sign():
    record = drawn_record()
    record.clicks["latency_ms"] -= 2.0
    words = [text.get_text() for text in breakdown.waterfall(record).axes[0].texts]
    mean_ms = record.clicks.query("measurement == 'one way'")["latency_ms"].mean()
    residual_ms = mean_ms - sum(STAGES_MS)
    assert residual_ms < -RESIDUAL_MS
    assert f"−{-residual_ms:.2f} ms" in words


@pytest.mark.parametrize("peers", [2, 3, 6])
def test_the_floor_beside_the_stages_is_the_summary_s(peers):
    record = drawn_record(peers)
    axes = breakdown.waterfall(record).axes[0]
    floor = [bar for bar in bars(axes) if bar[0] == len(STAGES) + 2]
    assert len(floor) == 3
    assert floor[-1][2] == pytest.approx(floor_ms(record))
    assert axes.get_yticklabels()[-1].get_text().startswith("Physical floor")


def test_stages_are_named_in_plain_words():
    labels = [t.get_text() for t in breakdown.waterfall(drawn_record()).axes[0].get_yticklabels()]
    assert labels[:-1] == list(breakdown.STAGE_WORDS.values())
    assert set(STAGES) < set(breakdown.STAGE_WORDS)


def test_nothing_heard_leaves_the_floor_and_says_why():
    axes = breakdown.waterfall(drawn_record(missed=1.0)).axes[0]
    assert {row for row, _, _ in bars(axes)} == {len(STAGES) + 2}
    assert any("No click was heard" in text.get_text() for text in axes.texts)
