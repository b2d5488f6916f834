"""A comparison of playout buffers, run over a short trace."""

import numpy as np
import pytest

from jamlab.measure.playout.bounds import best_per_second
from jamlab.measure.playout.example import example_trace
from jamlab.measure.playout.plan import PlayoutPlan
from jamlab.measure.playout.record import (
    BEST_SPLICED,
    BOUNDS,
    BUFFERS,
    CONSTANT,
    JAMLAB,
    PlayoutRecord,
)
from jamlab.measure.playout.replay import replay
from jamlab.measure.playout.run import measure_playout
from jamlab.media.playout.delay import DelayBounds, DelayController

PLAN = PlayoutPlan((example_trace(20),), (0.5, 2.0), spliced=True)
ASKED = []


def estimator(share):
    ASKED.append(share)
    return DelayController(DelayBounds(0.02))


@pytest.fixture(scope="module")
def record():
    return measure_playout(PLAN, estimator=estimator)


def test_every_buffer_plays_and_one_setting_of_each_is_its_authors(record):
    by_buffer = record.playbacks.groupby("buffer")
    assert set(by_buffer.groups) == set(BUFFERS)
    shipped = by_buffer["as_shipped"].sum().to_dict()
    assert shipped == dict.fromkeys(BUFFERS, 1) | {JAMLAB: 2, CONSTANT: 0}


def test_jamlab_is_asked_for_each_accepted_share(record):
    assert ASKED == [0.005, 0.02]
    own = record.playbacks[record.playbacks["buffer"] == JAMLAB]
    (packets,) = PLAN.packets()
    playback = replay(packets, DelayController(DelayBounds(0.02)))
    assert own["delay_ms"].tolist() == pytest.approx([1000 * playback.mean_delay_s] * 2)
    assert own["concealed_share"].tolist() == [playback.concealed_share] * 2


def test_the_bounds_are_in_the_record(record):
    assert record.bounds.groupby("bound").size().to_dict() == dict.fromkeys(BOUNDS, 2)
    (packets,) = PLAN.packets()
    bound = best_per_second(packets, 0.02)
    row = record.bounds.query("bound == 'best per second' and accepted_share == 0.02").iloc[0]
    assert row["least_ms"] == 1000 * bound.low_s
    assert np.isinf(record.bounds[record.bounds["bound"] == BEST_SPLICED]["delay_ms"]).all()


def test_constant_buffers_form_a_curve(record):
    curve = record.playbacks[record.playbacks["buffer"] == CONSTANT].sort_values("delay_ms")
    assert len(curve) > 20
    assert curve["concealed_share"].is_monotonic_decreasing
    assert curve["concealed_share"].iloc[-1] == 0


def test_a_record_is_the_same_after_it_was_saved(record, tmp_path):
    again = PlayoutRecord.load(record.save(tmp_path / "record"))
    for name in PlayoutRecord.TABLES:
        assert getattr(again, name).equals(getattr(record, name))
