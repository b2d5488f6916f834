"""The card's callback: a failure of one participant's stream affects no other."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jamlab.audio.pcm import silence
from jamlab.media.encoder import FrameEncoder
from jamlab.media.quality import LOW_LATENCY
from jamlab.mesh.controls import Controls
from jamlab.mesh.exchange import Exchanger, is_finite
from jamlab.mesh.sound_tap import Tap
from tests.mesh.jam import HandCard

BLOCK = LOW_LATENCY.frame_frames


class Peer:
    """A peer whose every sample is a level of its own, and which keeps what it is sent."""

    def __init__(self, peer_id, level, broken=()):
        self.peer_id, self.level, self.broken = peer_id, level, broken
        self.sent, self.missed = [], 0
        self.playout = self

    def _may(self, what):
        if what in self.broken:
            raise ZeroDivisionError(f"{self.peer_id} cannot {what}")

    def send(self, frame):
        self._may("send")
        self.sent.append(frame.position)

    def pull(self, frames):
        self._may("pull")
        return silence(frames) + np.float32(self.level)

    def miss(self, frames):
        self._may("miss")
        self.missed += frames


def exchanger(*peers, encoder=None):
    encoder = encoder or FrameEncoder(LOW_LATENCY)
    tap = Tap(lambda _: None)
    return Exchanger(peers, encoder, Controls(), deque(), [tap]), tap


@pytest.mark.parametrize("position", [0, 1, 2])
async def test_a_peer_that_cannot_be_played_silences_nobody_else(caplog, position):
    peers = [Peer("ada", 0.1), Peer("ben", 0.2)]
    peers.insert(position, Peer("broken", 0.4, broken=("pull", "send")))
    exchange, tap = exchanger(*peers)
    for _ in range(5):
        played = exchange(HandCard(), silence(BLOCK))
        assert played == pytest.approx(0.3, abs=1e-6)
    assert all(set(taken.heard) == {"ada", "ben"} for taken in tap.take())
    for peer in peers:
        assert peer.sent == ([] if peer.broken else [BLOCK * k for k in range(5)])
    assert caplog.text.count("ZeroDivisionError: broken cannot pull") == 1
    assert caplog.text.count("ZeroDivisionError: broken cannot send") == 1


async def test_a_peer_that_cannot_be_missed_keeps_nobody_from_it():
    peers = Peer("broken", 0.4, broken=("miss",)), Peer("ada", 0.1)
    exchange, _ = exchanger(*peers)
    card = HandCard()
    card.too_late = True
    assert not exchange(card, silence(BLOCK)).any()
    assert peers[1].missed == BLOCK


async def test_an_encoder_that_fails_costs_our_sound_and_not_theirs(caplog):
    class Broken:
        def push(self, _block):
            yield from ()
            raise ZeroDivisionError("no frame")

    ada = Peer("ada", 0.1)
    exchange, _ = exchanger(ada, encoder=Broken())
    for _ in range(3):
        assert exchange(HandCard(), silence(BLOCK)) == pytest.approx(0.1, abs=1e-6)
    assert ada.sent == []
    assert caplog.text.count("our sound cannot be encoded") == 1


@pytest.mark.parametrize(
    "bad", [np.zeros((BLOCK + 1, 2)), np.full((BLOCK, 2), np.nan), np.full((BLOCK, 2), np.inf)]
)
async def test_what_is_no_sound_is_not_mixed(caplog, bad):
    ada, broken = Peer("ada", 0.1), Peer("broken", 0.4)
    broken.pull = lambda frames: bad.astype(np.float32)
    exchange, tap = exchanger(broken, ada)
    assert exchange(HandCard(), silence(BLOCK)) == pytest.approx(0.1, abs=1e-6)
    assert [set(taken.heard) for taken in tap.take()] == [{"ada"}]
    assert f"did not give {BLOCK} frames of sound" in caplog.text


async def test_a_tap_that_fails_silences_nobody(caplog):
    class Broken:
        def note(self, exchange):
            raise ZeroDivisionError("the meter is broken")

    exchange = Exchanger(
        [Peer("ada", 0.1)], FrameEncoder(LOW_LATENCY), Controls(), deque(), [Broken()]
    )
    assert exchange(HandCard(), silence(BLOCK)) == pytest.approx(0.1, abs=1e-6)
    assert "the meter is broken" in caplog.text


@given(arrays(np.float32, (8, 2), elements=st.floats(width=32)))
def test_a_block_is_finite_if_every_sample_is(block):
    """Of any loudness: where the energy overflows, the samples are looked at one by one."""
    for each in (block, block[::2], np.float32(3e38) + 0 * silence(8)):
        assert is_finite(each) == np.isfinite(each).all()
