"""Stock aiortc's jitter buffer, by what its documentation and its queue must do."""

import numpy as np
import pytest

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.packets import PacketTimes, packets_of
from jamlab.measure.playout.stock import stock_aiortc
from jamlab.networks.model.trace import DelayTrace


def steady(seconds=20, stall_s=0.0, lost=()):
    """Return packets of a network without jitter, with a stall after 5 s."""
    sent_s = 0.005 * np.arange(200 * seconds)
    stalled = (sent_s > 5) & (sent_s < 5 + stall_s)
    delay_s = np.where(stalled, 5 + stall_s - sent_s, 0.0) + 0.01
    delay_s[np.array(lost, int) + 1] = np.nan
    return packets_of(DelayTrace("steady", sent_s, delay_s))


def test_four_packets_are_held():
    playback = stock_aiortc(steady())
    assert playback.delay_s * SAMPLE_RATE == pytest.approx(4 * 240, abs=64)
    assert playback.concealed_share == pytest.approx(4 / 4000)  # the last four stay in it


def test_a_stall_is_added_to_the_delay_for_good():
    playback = stock_aiortc(steady(stall_s=0.5))
    assert playback.delay_s[-1] == pytest.approx(0.02 + 0.5, abs=0.01)
    assert playback.concealed_frames.sum() == pytest.approx(0.5 * SAMPLE_RATE, abs=300)


def test_a_lost_packet_costs_those_that_waited_before_it_too():
    """They wait for four packets in a row, and are removed when the buffer of 16 is full."""
    playback = stock_aiortc(steady(lost=(2000,)))
    assert np.flatnonzero(~playback.is_played)[:5].tolist() == [1996, 1997, 1998, 1999, 2000]
    assert playback.is_played[2001:-16].all()  # 16 stay in it
    assert playback.concealed_frames.sum() == pytest.approx(16 * 240, abs=240)


def test_numbers_and_timestamps_may_wrap_around():
    count = 70_000
    captured = np.arange(count) * 240.0
    playback = stock_aiortc(PacketTimes("long", captured, captured + 300))
    assert np.count_nonzero(~playback.is_played) == 4
