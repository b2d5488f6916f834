"""The tap: every exchange once, and no more than its limit."""

import asyncio
import gc
import sys

import numpy as np
import pytest

from jamlab.audio.pcm import silence
from jamlab.mesh.session import JamSession
from jamlab.mesh.sound_tap import KEPT, Exchange, Tap
from jamlab.signaling.memory import MemoryChannel

from .jam import BLOCK, CHEAP, HandCard, hearing_ben


def test_what_is_taken_is_taken_once_and_in_order():
    tap = Tap(lambda _: None)
    exchanges = [Exchange(silence(n), {}) for n in (1, 2, 3)]
    for exchange in exchanges:
        tap.note(exchange)
    assert [len(taken.sent) for taken in tap.take()] == [1, 2, 3]
    assert tap.take() == []


def test_who_does_not_look_costs_the_last_blocks_and_no_more():
    tap = Tap(lambda _: None)
    for number in range(3 * KEPT):
        tap.note(Exchange(silence(1) + number, {}))
    taken = tap.take()
    assert len(taken) == KEPT
    assert taken[-1].sent[0, 0] == 3 * KEPT - 1


async def test_a_callback_is_tapped_as_it_is_sent_and_heard():
    async with hearing_ben() as (card, service):
        tap, sent = service.tap(), silence(BLOCK) + 0.25
        played = [card.callback(sent) for _ in range(8)]
        taken = tap.take()
        assert all(exchange.sent is sent for exchange in taken)
        for block, exchange in zip(played, taken, strict=True):
            assert np.array_equal(exchange.heard["ben"], block)  # one peer, below the limiter
        assert any(block.any() for block in played)
        card.too_late = True
        card.callback(sent)
        (missed,) = tap.take()
        assert missed.heard == {}
        assert missed.sent is sent


async def test_a_closed_tap_is_forgotten_by_its_service():
    room, card = MemoryChannel(), HandCard()
    async with JamSession("room", "ada", signaling=lambda _: room, card=card, quality=CHEAP) as ada:
        tap, other = ada.service.tap(), ada.service.tap()
        tap.close()
        tap.close()
        block = silence(BLOCK)
        card.callback(block)
        assert tap.take() == []
        assert len(other.take()) == 1
        gc.collect()
        assert sys.getrefcount(tap) == 2


async def test_who_waits_is_woken_by_the_next_exchange_and_not_for_ever():
    tap = Tap(lambda _: None)
    tap.note(Exchange(silence(1), {}))
    waiting = asyncio.create_task(tap.passed(60))
    await asyncio.sleep(0)
    assert not waiting.done()
    tap.note(Exchange(silence(1), {}))
    await waiting
    await tap.passed(0.001)
    assert len(tap.take()) == 2


@pytest.mark.parametrize("field", ["sent", "heard"])
def test_an_exchange_is_not_rewritten(field):
    with pytest.raises(AttributeError):
        setattr(Exchange(silence(1), {}), field, None)
