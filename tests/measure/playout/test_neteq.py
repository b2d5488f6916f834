"""The buffer like NetEq, by what the settings of libwebrtc imply."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.example import example_trace
from jamlab.measure.playout.neteq import _TargetDelay, neteq_like
from jamlab.measure.playout.packets import packets_of
from tests.examples import examples
from tests.measure.playout.test_stock import steady


@examples(50)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.95]))
def test_the_target_is_the_quantile_of_the_greatest_delays_of_half_seconds(delays_ms, quantile):
    """The weights are computed anew: of n values the last has 1 - f(n), and so on."""
    estimate = _TargetDelay(quantile)
    for number, delay_ms in enumerate(delays_ms):
        estimate.update(510 * number, delay_ms)
        estimate.update(510 * number + 200, delay_ms // 2)
    ended = delays_ms[:-1]  # the last half second has not ended
    if not ended:
        assert estimate.target_ms == 80
        return
    weights, kept = [], 1.0
    for number in range(len(ended), 0, -1):
        forget = min(max(0.0, 1 - 2 / number), 0.983) if number > 1 else 0.0
        weights.append((1 - forget) * kept)
        kept *= forget
    buckets = np.array(ended[::-1]) // 20
    below = [sum(w for w, b in zip(weights, buckets, strict=True) if b <= n) for n in range(21)]
    found = next(n for n, share in enumerate(below) if share >= quantile - 1e-9)
    assert estimate.target_ms == 20 * (found + 1)


def test_without_jitter_the_delay_is_a_bucket_and_at_most_its_tolerance_more():
    playback = neteq_like(steady(30))
    assert playback.concealed_share < 0.001
    assert 0.02 - 0.015 <= playback.delay_s[-1] <= 0.05


def test_a_stall_is_expanded_over_and_then_removed_pitch_by_pitch():
    playback = neteq_like(steady(20, stall_s=0.5))
    assert playback.concealed_frames.sum() == pytest.approx(0.5 * SAMPLE_RATE, rel=0.15)
    assert playback.delay_s.max() > 0.4
    assert playback.is_played.mean() > 0.99
    removed_ms = -np.diff(playback.played_frames[playback.is_played]) + 240
    assert removed_ms.max() <= 8 * 48


def test_a_lost_packet_is_passed_over():
    playback = neteq_like(steady(20, lost=(2000,)))
    assert np.flatnonzero(~playback.is_played).tolist() == [2000]
    assert 0 < playback.concealed_frames.sum() <= 3 * 480


def test_a_higher_quantile_means_more_delay():
    packets = packets_of(example_trace(30))
    low, high = neteq_like(packets, 0.5), neteq_like(packets, 0.99)
    assert low.mean_delay_s < high.mean_delay_s
    assert low.concealed_share >= high.concealed_share


def test_no_packet_is_played_before_it_came():
    packets = packets_of(example_trace(30))
    playback = neteq_like(packets)
    played = playback.is_played
    assert (playback.played_frames >= packets.arrived_frames)[played].all()
