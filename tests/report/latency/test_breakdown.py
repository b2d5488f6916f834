from itertools import pairwise

import numpy as np
import pytest

from jamlab.measure.latency.stages import STAGES
from jamlab.measure.latency.verdicts import floor_ms
from jamlab.measure.sound_card.mouth_to_ear import card_part
from jamlab.report.latency import breakdown
from tests.measure.latency.records import STAGES_MS
from tests.measure.sound_card.records import card_record
from tests.report.latency.records import RESIDUAL_MS, drawn_record

CARD_ROW = len(STAGES) + 2  # the first after the stages, the residual and what was measured
FLOOR_ROW = CARD_ROW + 1  # where no card was measured


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
    floor = [bar for bar in bars(axes) if bar[0] == FLOOR_ROW]
    assert len(floor) == 3
    assert floor[-1][2] == pytest.approx(floor_ms(record))
    assert axes.get_yticklabels()[-1].get_text().startswith("Physical floor")


def test_stages_are_named_in_plain_words():
    labels = [t.get_text() for t in breakdown.waterfall(drawn_record()).axes[0].get_yticklabels()]
    assert labels[:-2] == list(breakdown.STAGE_WORDS.values())
    assert set(STAGES) < set(breakdown.STAGE_WORDS)


def test_nothing_heard_leaves_the_floor_and_says_why():
    axes = breakdown.waterfall(drawn_record(missed=1.0)).axes[0]
    assert {row for row, _, _ in bars(axes)} == {FLOOR_ROW}
    assert any("No click has known packet times" in text.get_text() for text in axes.texts)


class TestMouthToEar:
    def test_what_a_card_adds_begins_where_the_measured_ends_and_adds_up(self):
        record, card = drawn_record(), card_record({64: 480.0})
        axes = breakdown.waterfall(record, card).axes[0]
        drawn = {row: (start, end) for row, start, end in bars(axes) if row >= CARD_ROW}
        measured_ms = record.clicks.query("measurement == 'one way'")["latency_ms"].mean()
        part = card_part(card, 64)
        loopback, bridge, total = (drawn[CARD_ROW + n] for n in range(3))
        assert loopback == pytest.approx((measured_ms, measured_ms + 10 - 128 / 48))
        assert bridge == pytest.approx((loopback[1], loopback[1] + part.bridge))
        assert total == pytest.approx((0, measured_ms + part.added.value))
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert labels[CARD_ROW:-1] == list(breakdown.CARD_WORDS)
        assert labels[-1].startswith("Physical floor")

    def test_a_card_quicker_than_a_virtual_one_goes_back(self):
        axes = breakdown.waterfall(drawn_record(), card_record({64: 100.0})).axes[0]
        words = [text.get_text() for text in axes.texts]
        assert f"−{28 / 48:.2f} ms" in words

    @pytest.mark.parametrize(
        ("card", "words"),
        [
            (None, "not measured"),
            (card_record({128: 480.0}), "not measured at blocks of 64 frames (measured: 128)"),
        ],
    )
    def test_without_a_card_it_is_hatched_and_there_is_no_sum(self, card, words):
        axes = breakdown.waterfall(drawn_record(), card).axes[0]
        assert words in [text.get_text() for text in axes.texts]
        [bar] = [bar for bar in axes.patches if round(bar.get_y() + 0.31) == CARD_ROW]
        assert bar.get_hatch()
        assert bar.get_width() > 0
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert labels[CARD_ROW] == breakdown.UNKNOWN_WORDS
        assert not set(breakdown.CARD_WORDS) & set(labels)
