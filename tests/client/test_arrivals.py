"""How late blocks come, in Node: compared with numpy's quantiles of all transits."""

import numpy as np
import pytest

from tests.client.node import run_js

SCRIPT = """
    import { Arrivals } from "./arrivals.js";
    const arrivals = new Arrivals();
    const told = given.blocks.map(([clock, position]) => {
      arrivals.note(clock, position);
      return arrivals.transit(given.share);
    });
    console.log(JSON.stringify([told, arrivals.size]));"""
BIN = 16


def told(blocks, share=0.003):
    return run_js(SCRIPT, {"blocks": blocks, "share": share})


def steady(transits, frames=120):
    """Return blocks that come in order of their positions, with transits."""
    return [[n * frames + int(each), n * frames] for n, each in enumerate(transits)]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1])
def test_it_is_the_quantile_of_the_transits(share):
    transits = np.random.default_rng(5).integers(200, 1400, 3000)
    # all come in the reader's order, so that a moment's least transit is nearly the least of all
    blocks = sorted(steady(transits))
    (*_, last), size = told(blocks, share)
    expected = np.quantile(transits, 1 - share)
    assert size == 3000
    assert expected - BIN <= last <= expected + 5 * BIN


def test_one_pause_of_the_sender_is_left_out():
    transits = np.full(3000, 300)
    transits[2800:2808] = np.arange(8, 0, -1) * 120 + 300  # 8 of 2800 blocks, which come together
    transit, _ = told(steady(transits))
    assert max(transit) <= 300 + BIN


def test_a_longer_way_and_a_reader_that_stood_still_are_found_soon():
    for before, after in ((300, 2300), (2300, 300)):
        transit, _ = told(steady(np.r_[np.full(2000, before), np.full(2000, after)]))
        assert transit[1999] == pytest.approx(before, abs=BIN)
        assert transit[2000 + 150] == pytest.approx(after, abs=BIN)  # 0.4 s later


def test_old_blocks_are_forgotten():
    _, size = told(steady(np.full(8000, 300)))
    assert size == pytest.approx(8 * 48_000 / 120, abs=2)
