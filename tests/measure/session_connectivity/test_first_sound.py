"""The card on virtual time: when the first sound is played, and how often it calls back."""

import asyncio
import math

import numpy as np
import pytest

from jamlab.audio.pcm import silence
from jamlab.measure.session_connectivity.first_sound import (
    BLOCK_FRAMES,
    HEARD,
    SPARING_S,
    TONE,
    FirstSoundCard,
)
from jamlab.networks.simulated.loop import run_simulated

BLOCK_S = 0.02


def played(blocks, for_s=1.0, spare_at_s=math.inf, sent_from_s=0.0):
    """Run a card whose callbacks return these blocks, then silence.

    Return it, the times of its callbacks, and those of them that captured the tone.
    """
    times, tones, queue = [], [], list(blocks)
    card = FirstSoundCard(lambda: times[-1:] >= [sent_from_s])

    def callback(captured):
        times.append(asyncio.get_running_loop().time())
        assert captured is TONE or not captured.any()
        if captured is TONE:
            tones.append(times[-1])
        return queue.pop(0) if queue else silence(BLOCK_FRAMES)

    async def main():
        card.start(callback)
        await asyncio.sleep(min(spare_at_s, for_s))
        card.spare()
        await asyncio.sleep(max(for_s - spare_at_s, 0.0))
        card.stop()
        card.stop()
        await asyncio.sleep(1)

    run_simulated(main())
    return card, times, tones


def block_with_sound_at(frame, value=0.1):
    block = silence(BLOCK_FRAMES).copy()
    block[frame:, 1] = value
    return block


def test_the_tone_has_no_seam():
    twice = np.concatenate((TONE, TONE))[:, 0]
    steps = np.abs(np.diff(twice))
    assert steps[BLOCK_FRAMES - 1] <= steps.max()
    assert twice.max() > 5 * HEARD


@pytest.mark.parametrize("frame", [0, 1, 480, BLOCK_FRAMES - 1])
@pytest.mark.parametrize("silent", [0, 3])
def test_sound_is_heard_a_block_after_its_callback(frame, silent):
    """Block k is captured until (k + 1) blocks, and what comes back is played from (k + 2) on."""
    blocks = [silence(BLOCK_FRAMES)] * silent + [block_with_sound_at(frame), TONE]
    card, *_ = played(blocks)
    assert card.first_sound_s == pytest.approx((silent + 2) * BLOCK_S + frame / 48_000)


def test_noise_below_the_threshold_is_no_sound():
    card, *_ = played([block_with_sound_at(0, HEARD / 2)] * 5)
    assert not card.heard


def test_callbacks_come_every_block_until_the_card_is_stopped():
    card, times, _ = played([])
    assert times == pytest.approx([BLOCK_S * n for n in range(1, len(times) + 1)])
    assert card.counters.blocks == len(times) >= 49


def test_a_sparing_card_calls_back_rarely():
    _, times, tones = played([], for_s=2.0, spare_at_s=1.0)
    late = [at_s for at_s in times if at_s > 1.0 + BLOCK_S]
    assert np.diff(late) == pytest.approx(SPARING_S)
    assert max(tones) <= 1.0 + BLOCK_S


def test_the_tone_is_captured_from_when_somebody_can_hear_it():
    _, times, tones = played([], sent_from_s=0.5)
    assert tones == [at_s for at_s in times if at_s > 0.5 + BLOCK_S / 2]
