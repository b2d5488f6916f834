"""The service in the card's callback; test_session and others test its connections."""

import numpy as np
import pytest

from jamlab.audio.pcm import silence
from jamlab.mesh.connection.errors import UnknownPeerError
from jamlab.mesh.session import JamSession
from jamlab.signaling.memory import MemoryChannel

from .jam import BLOCK, CHEAP, HandCard, hearing_ben


async def test_a_callback_that_is_too_late_is_missed_by_every_stream():
    async with hearing_ben() as (card, service):
        card.callback(silence(BLOCK))
        card.too_late = True
        assert not card.callback(silence(BLOCK)).any()
        card.too_late = False
        card.callback(silence(BLOCK))
        assert service.playout("ben").counters.missed_frames == BLOCK


async def test_nobody_to_hear_is_silence_of_the_length_asked():
    room, card = MemoryChannel(), HandCard()
    async with JamSession("room", "ada", signaling=lambda _: room, card=card, quality=CHEAP):
        for frames in (1, BLOCK, 4096):
            played = card.callback(silence(frames))
            assert played.shape == (frames, 2)
            assert not np.any(played)
        assert card.callback is not None
    assert card.callback is None


async def test_the_selected_pair_is_told_by_its_candidates_types():
    async with hearing_ben() as (_, service):
        local, remote = service.candidates("ben")
        assert {local, remote} <= {"host", "prflx"}  # both are on this machine
        with pytest.raises(UnknownPeerError, match="cleo"):
            service.candidates("cleo")
