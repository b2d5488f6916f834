"""Candidates find the connection whose description has their username fragment."""

import pytest

from jamlab.media.sdp import username_fragment
from jamlab.mesh.connection.errors import MalformedCandidateError
from tests.mesh.connection.test_events import without_candidates
from tests.mesh.jam import ends, plays_on
from tests.mesh.test_mistakes import candidates_of

pytestmark = pytest.mark.usefixtures("nothing_left")


def stated(description, fragment=None):
    """Return a description's candidates with their username fragment, or with another."""
    fragment = fragment or username_fragment(description["sdp"])
    return [{**each, "usernameFragment": fragment} for each in candidates_of(description)]


async def test_those_that_come_before_the_offer_and_the_answer_are_kept():
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        await ben.service.handle_ice_candidate("ada", {"candidates": stated(offer)})
        answer = await ben.service.handle_offer("ada", without_candidates(offer))
        for candidate in stated(answer):
            await ada.service.handle_ice_candidate("ben", candidate)
        await ada.service.handle_answer("ben", without_candidates(answer))
        await plays_on(ada, "ben")
        await plays_on(ben, "ada")


async def test_those_of_another_attempt_are_ignored():
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", offer)
        others = stated(answer, "another")
        await ada.service.handle_ice_candidate("ben", {"candidates": others * 40})
        await ada.service.handle_answer("ben", answer)
        await ada.service.handle_ice_candidate("ben", others[0])
        await plays_on(ada, "ben")
        assert not ada.service._peers["ben"]._negotiation._known


async def test_of_several_the_good_ones_count():
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", without_candidates(offer))
        await ada.service.handle_answer("ben", without_candidates(answer))
        bad = {"candidate": "x", "sdpMid": "0"}
        with pytest.raises(MalformedCandidateError):
            await ben.service.handle_ice_candidate("ada", {"candidates": [bad, *stated(offer)]})
        await plays_on(ada, "ben")
        await plays_on(ben, "ada")
