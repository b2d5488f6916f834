"""Delay and concealed share of playbacks that are known."""

import numpy as np
import pytest

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.packets import PacketTimes
from jamlab.measure.playout.playback import NEVER, WINDOW_S, Playback

NONE = np.zeros(0, np.int64)


def packets(count):
    captured = np.arange(count) * 240.0
    return PacketTimes("known", captured, captured + 320)


def playback(count, unplayed=(), concealed=(), delay=640):
    played = np.arange(count) * 240 + delay
    played[list(unplayed)] = NEVER
    at, frames = np.array(concealed, np.int64).reshape(-1, 2).T
    return Playback(packets(count), played, at, frames)


def test_the_delay_is_above_the_floor():
    whole = playback(1000)
    assert whole.packets.floor_frames == 320
    assert whole.mean_delay_s == pytest.approx(320 / SAMPLE_RATE)


@pytest.mark.parametrize(
    ("unplayed", "concealed", "share"),
    [
        ((), (), 0.0),
        ((500, 501), [(5000, 480)], 0.002),
        ((500, 501), (), 0.002),
        ((), [(5000, 480)], 0.002),
        ((500,), [(5000, 480)], 0.002),
        ((0, 1), [(0, 480)], 480 / (998 * 240)),
        ((0, 1), (), 0.0),
    ],
)
def test_the_share_is_the_greater_of_concealed_and_never_played(unplayed, concealed, share):
    assert playback(1000, unplayed, concealed).concealed_share == pytest.approx(share)


def test_the_worst_two_minutes_are_found_wherever_they_are():
    second = SAMPLE_RATE // 240
    stalls = [number for at in (300, 400) for number in range(at * second, at * second + 100)]
    long = playback(600 * second, unplayed=stalls)
    assert long.worst_share == pytest.approx(200 / (WINDOW_S * second))
    assert playback(10 * second, unplayed=range(100, 110)).worst_share == pytest.approx(0.005)


def test_nothing_was_played():
    silent = Playback(packets(10), np.full(10, NEVER), NONE, NONE)
    assert silent.concealed_share == 1.0
    assert np.isnan(silent.mean_delay_s)
