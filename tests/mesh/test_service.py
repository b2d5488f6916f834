"""What the service does in the card's callback; test_session and others test connections."""

import numpy as np

from jamlab.audio.card import CardCounters
from jamlab.audio.pcm import silence
from jamlab.mesh.session import JamSession
from jamlab.signaling.memory import MemoryChannel
from tests.leaks import until

from .jam import CHEAP, Player

BLOCK = 480


class HandCard:
    """A card whose callbacks the test makes."""

    block_frames = BLOCK
    round_trip_frames = 2 * BLOCK

    def __init__(self):
        self.counters = CardCounters()
        self.too_late = False
        self.callback = None

    def start(self, callback, *, capture=True):
        self.callback = callback

    def stop(self):
        self.callback = None


async def test_a_callback_that_is_too_late_is_missed_by_every_stream():
    room, card, ben = MemoryChannel(), HandCard(), Player("ben")
    async with (
        JamSession("room", "ada", signaling=lambda _: room, card=card, quality=CHEAP) as ada,
        JamSession("room", "ben", signaling=lambda _: room, card=ben.card, quality=CHEAP),
    ):
        await ada.wait_connected(20)
        playout = ada.service.playout("ben")
        await until(lambda: playout.counters.received > 3)
        card.callback(silence(BLOCK))
        card.too_late = True
        assert not card.callback(silence(BLOCK)).any()
        card.too_late = False
        card.callback(silence(BLOCK))
        assert playout.counters.missed_frames == BLOCK


async def test_nobody_to_hear_is_silence_of_the_length_asked():
    room, card = MemoryChannel(), HandCard()
    async with JamSession("room", "ada", signaling=lambda _: room, card=card, quality=CHEAP):
        for frames in (1, BLOCK, 4096):
            played = card.callback(silence(frames))
            assert played.shape == (frames, 2)
            assert not np.any(played)
        assert card.callback is not None
    assert card.callback is None
