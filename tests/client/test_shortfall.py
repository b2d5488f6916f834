"""The judgement whether the page's own playout keeps up, in Node."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.node import run_js
from tests.examples import examples

SCRIPT = """
    import { Shortfall } from "./shortfall.js";
    const shortfall = new Shortfall();
    console.log(JSON.stringify(given.map((counters) => shortfall.note(counters))));"""
FRAME = 240
SECOND = 48_000


def judged(seconds):
    """Return the judgements of the counters twice a second.

    `seconds` has for each second the frames concealed and the packets lost.
    """
    counters = {"blocks": 0, "played": 0, "concealed": 0, "lost": 0}
    readings = []
    for concealed, lost in seconds:
        for _ in range(2):
            counters = {
                "blocks": counters["blocks"] + (SECOND // FRAME - lost) / 2,
                "played": counters["played"] + (SECOND - concealed) / 2,
                "concealed": counters["concealed"] + concealed / 2,
                "lost": counters["lost"] + lost / 2,
            }
            readings.append(counters)
    return run_js(SCRIPT, readings)


def test_sound_that_is_whole_is_kept():
    assert not any(judged([(0, 0)] * 20))


def test_two_windows_in_succession_above_two_percent_fall_short():
    told = judged([(0.05 * SECOND, 0)] * 8)
    assert told.index(True) == 11  # 6 s
    assert all(told[11:])


@pytest.mark.parametrize("seconds", [3, 4])
def test_one_bad_window_does_not(seconds):
    assert not any(judged([(0, 0)] * 3 + [(0.3 * SECOND, 0)] * 3 + [(0, 0)] * seconds))


def test_what_the_network_lost_is_not_counted():
    lost = 20  # of 200 packets a second
    assert not any(judged([(lost * FRAME, lost)] * 20))
    assert any(judged([(lost * FRAME + 0.03 * SECOND, lost)] * 20))


def test_a_peer_that_sends_nothing_does_not_fall_short():
    silent = [{"blocks": 0, "played": 0, "concealed": n * SECOND, "lost": 0} for n in range(20)]
    assert not any(run_js(SCRIPT, silent))


@examples(30)
@given(st.lists(st.floats(0, 0.02), min_size=1, max_size=30))
def test_no_share_up_to_two_percent_falls_short(shares):
    assert not any(judged([(share * SECOND, 0) for share in shares]))
