"""The plan of a comparison of playout buffers: what it refuses, in a sentence."""

import pytest

from jamlab.measure.latency.plan import PlanError
from jamlab.measure.playout.example import example_trace
from jamlab.measure.playout.plan import PlayoutPlan

TRACE = example_trace(5)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"traces": ()}, "there is no trace"),
        ({"traces": (TRACE, TRACE)}, "two traces are called example"),
        ({"accept_percent": ()}, "accept_percent has no share"),
        ({"accept_percent": (1.0, 0.0)}, "accept_percent is 0"),
        ({"accept_percent": (100.0,)}, "accept_percent is 100"),
        ({"accept_percent": (float("nan"),)}, "accept_percent is nan"),
        ({"duration_s": 0.5}, "duration_s is 0.5"),
        ({"frame_frames": 100}, "frame_frames is 100"),
        ({"block_frames": 0}, "block_frames is 0"),
        ({"skew_ppm": 1e6}, "skew_ppm is 1"),
    ],
)
def test_it_refuses_in_a_sentence(changed, words):
    with pytest.raises(PlanError, match=words):
        PlayoutPlan(**{"traces": (TRACE,), **changed})


def test_its_packets_are_those_of_the_stream():
    plan = PlayoutPlan((TRACE,), duration_s=20.0, frame_frames=480, skew_ppm=100.0)
    (packets,) = plan.packets()
    assert packets.count == 2000
    assert packets.captured_frames[1] == pytest.approx(480 / 1.0001)


def test_shares_are_sorted_and_said_once():
    assert PlayoutPlan((TRACE,), (2.0, 0.5, 2.0)).accepted_shares == [0.005, 0.02]
