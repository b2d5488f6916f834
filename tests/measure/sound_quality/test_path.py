"""A path in virtual time, against the physical floor and the loss of its links."""

import random
from functools import cache

import numpy as np
import pytest

from jamlab.measure.latency.stages import floor_ms
from jamlab.measure.sound_quality.alignment import align
from jamlab.measure.sound_quality.music import piece
from jamlab.measure.sound_quality.path import Path
from jamlab.media.quality import HIGH_QUALITY, LOW_LATENCY
from jamlab.networks.model.link import LinkConfig

MUSIC = piece(2.0)
SETTLE = 48_000
NEAR, FAR = LinkConfig(), LinkConfig(delay_s=0.010)


def played(quality=LOW_LATENCY, link=NEAR, seed=1):
    return Path(quality, link, random.Random(seed), 64).play(MUSIC, SETTLE)


heard = cache(played)


def latency_ms(result):
    sent, sound = MUSIC[SETTLE:].astype(float), result.sound[SETTLE:].astype(float)
    return (align(sent, sound).delay_frames + result.later_frames) / 48


@pytest.mark.parametrize("quality", [LOW_LATENCY, HIGH_QUALITY])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_latency_is_the_floor_with_waits_for_blocks_and_the_margin(quality, seed):
    floor = floor_ms(quality.frame_frames + quality.lookahead_frames, 64)
    most = floor + (2 * 64 + 2 * 32) / 48  # a surplus up to the margin is not removed
    assert floor < latency_ms(heard(quality, NEAR, seed)) < most


def test_the_delay_of_both_links_is_added():
    near, far = (latency_ms(heard(LOW_LATENCY, link, 1)) for link in (NEAR, FAR))
    assert far - near == pytest.approx(20, abs=64 / 48)


def test_packets_are_counted_with_their_payload():
    result = heard(LOW_LATENCY, NEAR, 1)
    assert result.packets == pytest.approx(3.0 / 0.0025, abs=1)
    assert 8 * result.payload_bytes / result.sent_s == pytest.approx(128_000, rel=0.01)


def test_what_the_links_lose_is_concealed():
    result = heard(link=LinkConfig(loss=0.02))
    share = result.concealed_frames / (result.played_frames + result.concealed_frames)
    assert share == pytest.approx(1 - 0.98**2, abs=0.025)
    assert heard(LOW_LATENCY, NEAR, 1).concealed_frames == 0


def test_the_same_seed_plays_the_same():
    link = LinkConfig(jitter_s=0.004, loss=0.01)
    one, again, other = (played(link=link, seed=seed).sound for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
