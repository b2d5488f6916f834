"""Stalls: a silence, and the packets that come with its end."""

import pytest

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.stalls import LEAST_FRAMES, RECURRING, REMEMBERED_S, StallDetector

FRAME, NEED = 240, 1000


def steady(detector, begin, packets, every=FRAME):
    """Feed even packets; return the time of the next, and whether any is an accident."""
    found = [detector.is_accident(begin + k * every, NEED) for k in range(packets)]
    return begin + packets * every, any(found)


@pytest.mark.parametrize("every", [120, 240, 960, 4800])
def test_even_packets_are_none(every):
    assert steady(StallDetector(), 0, 500, every) == (500 * every, False)


def test_packets_that_come_with_the_end_are_its_own():
    detector = StallDetector()
    now, _ = steady(detector, 0, 100)
    now += LEAST_FRAMES
    held = [NEED + LEAST_FRAMES - k * FRAME for k in range(9)]
    assert [detector.is_accident(now, need) for need in held] == [True] * 9
    assert steady(detector, now + 5 * FRAME, 100)[1] is False


def test_a_shorter_silence_is_none():
    detector = StallDetector()
    now, _ = steady(detector, 0, 100)
    assert not detector.is_accident(now - FRAME + LEAST_FRAMES - 1, NEED + LEAST_FRAMES)


def test_the_third_in_a_minute_is_no_accident():
    detector, accidents, now = StallDetector(), [], 0
    for _ in range(RECURRING + 2):
        now, _ = steady(detector, now, 100)
        now += LEAST_FRAMES
        accidents.append(detector.is_accident(now, NEED + LEAST_FRAMES))
    assert accidents == [True] * (RECURRING - 1) + [False] * 3


def test_one_in_a_minute_stays_an_accident():
    detector, accidents, now = StallDetector(), [], 0
    for _ in range(4):
        now, _ = steady(detector, now, int(REMEMBERED_S * SAMPLE_RATE / FRAME))
        now += LEAST_FRAMES
        accidents.append(detector.is_accident(now, NEED + LEAST_FRAMES))
    assert all(accidents)


def test_a_pause_of_the_sender_is_none():
    """Its next packet needs no more delay than those before."""
    detector = StallDetector()
    now, _ = steady(detector, 0, 100)
    assert not detector.is_accident(now + SAMPLE_RATE, NEED + 10)
