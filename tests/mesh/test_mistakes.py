"""Mistakes of peers and callers: each gives one typed error or event, and the others play on."""

import asyncio
import re

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.media.quality import UnsupportedQualityError, quality_named
from jamlab.mesh.connection.description import MAX_CANDIDATES, MAX_SDP_CHARS
from jamlab.mesh.connection.errors import (
    DuplicatePeerError,
    MalformedCandidateError,
    MalformedDescriptionError,
    MeshError,
    NoLocalAudioError,
    PeerClosedError,
    UnexpectedDescriptionError,
    UnknownPeerError,
)
from jamlab.mesh.connection.events import ConnectionState
from jamlab.mesh.service import WebRTCAudioService
from tests.examples import examples
from tests.leaks import nothing_left, until
from tests.mesh.damage import damages
from tests.mesh.jam import connect, ends, plays_on, signal, turns

pytestmark = pytest.mark.usefixtures("nothing_left")

SETTLED = (ConnectionState.CONNECTED, ConnectionState.FAILED)


def without_candidates(description):
    sdp = re.sub(r"a=(candidate|end-of-candidates).*\r\n", "", description["sdp"])
    return {**description, "sdp": sdp}


def candidates_of(description):
    lines = re.findall(r"a=(candidate:.*)\r\n", description["sdp"])
    return [{"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0} for line in lines]


# Calls that come at the wrong time


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.handle_answer("nobody", {"type": "answer", "sdp": ""}),
        lambda s: s.handle_ice_candidate("nobody", {"candidate": ""}),
        lambda s: s.close_peer("nobody"),
    ],
)
async def test_an_unknown_peer(call):
    async with ends("ada", "ben") as (ada, ben):
        await connect(ada, ben)
        with pytest.raises(UnknownPeerError, match="there is no connection to 'nobody'"):
            await call(ada.service)
        await plays_on(ada, "ben")


@pytest.mark.parametrize("ask", ["connection_state", "timestamp_origin", "playout"])
async def test_nothing_is_known_of_an_unknown_peer(ask):
    async with ends("ada") as (ada,):
        with pytest.raises(UnknownPeerError, match="'nobody'"):
            getattr(ada.service, ask)("nobody")


async def test_nobody_connects_without_a_card():
    async with ends("ada") as (ada,), WebRTCAudioService() as mute:
        offer = await ada.service.create_offer("mute")
        for call in (
            mute.create_peer_connection("ada"),
            mute.create_offer("ada"),
            mute.handle_offer("ada", offer),
        ):
            with pytest.raises(NoLocalAudioError, match="call initialize_local_audio first"):
                await call
        assert mute.peers == frozenset()


async def test_a_card_that_cannot_start_is_no_local_audio():
    async with ends("ada") as (ada,):
        with pytest.raises(RuntimeError):
            await ada.service.initialize_local_audio(ada.card)
        with pytest.raises(NoLocalAudioError):
            await ada.service.create_offer("ben")


async def test_a_second_connection_to_a_peer():
    async with ends("ada", "ben") as (ada, ben):
        await connect(ada, ben)
        async with ends("ben") as (double,):
            offer = await double.service.create_offer("ada")
            for call in (
                ada.service.create_peer_connection("ben"),
                ada.service.create_offer("ben"),
                ada.service.handle_offer("ben", offer),
            ):
                with pytest.raises(DuplicatePeerError, match="there is a connection to 'ben'"):
                    await call
        await plays_on(ada, "ben")
        await plays_on(ben, "ada")


async def test_a_prepared_connection_is_used_by_either_side():
    async with ends("ada", "ben") as (ada, ben):
        await ada.service.create_peer_connection("ben")
        await ben.service.create_peer_connection("ada")
        with pytest.raises(DuplicatePeerError):
            await ada.service.create_peer_connection("ben")
        await connect(ada, ben)
        await plays_on(ada, "ben")


async def test_an_answer_nobody_waits_for():
    async with ends("ada", "ben", "cleo") as (ada, ben, cleo):
        await connect(ada, ben)
        await ada.service.create_peer_connection("cleo")
        offer = await cleo.service.create_offer("ada")
        answer = {"type": "answer", "sdp": offer["sdp"].replace("actpass", "active")}
        for peer in ("ben", "cleo"):  # one that was answered, one that was never offered to
            with pytest.raises(
                UnexpectedDescriptionError, match="'stable', and it does not wait for an answer"
            ):
                await ada.service.handle_answer(peer, answer)
        await ada.service.close_peer("cleo")
        await plays_on(ada, "ben")


async def test_two_answers_at_once():
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", offer)
        results = await asyncio.gather(
            ada.service.handle_answer("ben", answer),
            ada.service.handle_answer("ben", answer),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [type(None), UnexpectedDescriptionError]
        await plays_on(ada, "ben")


async def test_two_offers_at_once():
    async with ends("ada") as (ada,):
        results = await asyncio.gather(
            ada.service.create_offer("ben"),
            ada.service.create_offer("ben"),
            return_exceptions=True,
        )
        assert results[0]["type"] == "offer"
        assert isinstance(results[1], DuplicatePeerError)


def test_a_quality_nobody_offers():
    with pytest.raises(UnsupportedQualityError, match="choose one of"):
        WebRTCAudioService(quality=quality_named("studio"))


# Descriptions


@pytest.mark.parametrize(
    "offer",
    [
        {},
        {"type": "offer", "sdp": "v=0"},
        {"type": "answer", "sdp": ""},
        {"type": "offer", "sdp": "x" * (MAX_SDP_CHARS + 1)},
    ],
)
async def test_a_malformed_offer_makes_no_connection(offer):
    async with ends("ada", "ben") as (ada, ben):
        await connect(ada, ben)
        states = len(ada.states)
        with pytest.raises(MalformedDescriptionError, match="offer from 'cleo' cannot be used"):
            await ada.service.handle_offer("cleo", offer)
        assert ada.service.peers == {"ben"}
        assert len(ada.states) == states
        await plays_on(ada, "ben")


async def test_after_an_unreadable_answer_a_good_one_is_taken():
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", offer)
        for broken in ({**answer, "sdp": answer["sdp"][:400]}, offer, {}, None):
            with pytest.raises(MalformedDescriptionError, match="answer from 'ben' cannot be used"):
                await ada.service.handle_answer("ben", broken)
        await ada.service.handle_answer("ben", answer)
        await plays_on(ada, "ben")
        await plays_on(ben, "ada")


async def test_an_answer_that_does_not_fit_closes_the_connection():
    async with ends("ada", "ben", "cleo") as (ada, ben, cleo):
        await connect(ada, cleo)
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", offer)
        other = {
            **answer,
            "sdp": answer["sdp"].replace("a=mid:0", "a=mid:1").replace("BUNDLE 0", "BUNDLE 1"),
        }
        with pytest.raises(MalformedDescriptionError, match="do not match offer"):
            await ada.service.handle_answer("ben", other)
        assert ada.service.peers == {"cleo"}
        await plays_on(ada, "cleo")


async def deal_with(ada, ben, offer):
    """Have ben take a damaged offer of ada's and ada the answer; wait what becomes of it."""
    try:
        answer = await ben.service.handle_offer("ada", offer)
        await ada.service.handle_answer("ben", answer)
    except MeshError as error:
        return type(error)
    for a, b in ((ada, "ben"), (ben, "ada")):
        await until(lambda a=a, b=b: b not in a.service.peers or a.state(b) in SETTLED)
    return ben.path("ada")[-1]


@pytest.mark.slow
async def test_an_offer_with_any_line_missing_or_doubled_hurts_nobody():
    outcomes = set()
    async with ends("ada", "ben", "cleo", connect_timeout_s=4.0) as (ada, ben, cleo):
        await connect(ben, cleo)
        offer = await ada.service.create_offer("ben")
        lines = range(offer["sdp"].count("\n"))
        for change, at in [("drop", at) for at in lines] + [("double", at) for at in lines]:
            if "ben" in ada.service.peers:
                await ada.service.close_peer("ben")
            if "ada" in ben.service.peers:
                await ben.service.close_peer("ada")
            offer = await ada.service.create_offer("ben")
            changed = offer["sdp"].splitlines(keepends=True)
            changed[at : at + 1] = [] if change == "drop" else [changed[at]] * 2
            outcomes.add(await deal_with(ada, ben, {"type": "offer", "sdp": "".join(changed)}))
        await plays_on(ben, "cleo")
        await plays_on(cleo, "ben")
    assert outcomes >= {MalformedDescriptionError, ConnectionState.CONNECTED}
    assert outcomes <= {MalformedDescriptionError, *SETTLED}


@examples(25)
@given(st.booleans(), damages)
def test_damaged_descriptions_are_malformed_or_used_and_leave_nothing(damage_the_offer, damage):
    async def play():
        async with nothing_left(), ends("ada", "ben", connect_timeout_s=0.5) as (ada, ben):
            offer = await ada.service.create_offer("ben")
            if damage_the_offer:
                return await deal_with(ada, ben, {**offer, "sdp": damage(offer["sdp"])})
            answer = await ben.service.handle_offer("ada", offer)
            damaged = {**answer, "sdp": damage(answer["sdp"])}
            try:
                await ada.service.handle_answer("ben", damaged)
            except MalformedDescriptionError:
                return MalformedDescriptionError
            await until(lambda: ada.state("ben") in SETTLED)
            return ada.state("ben")

    assert asyncio.run(play()) in (MalformedDescriptionError, *SETTLED)


# Candidates


@pytest.mark.parametrize("candidate", [{}, {"candidate": "x", "sdpMid": "0"}, {"candidate": 1}])
async def test_a_malformed_candidate(candidate):
    async with ends("ada", "ben") as (ada, ben):
        await connect(ada, ben)
        with pytest.raises(MalformedCandidateError, match="candidate from 'ben'"):
            await ada.service.handle_ice_candidate("ben", candidate)
        await plays_on(ada, "ben")


async def test_a_candidate_before_its_description_is_used():
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", without_candidates(offer))
        for candidate in candidates_of(answer):
            await ada.service.handle_ice_candidate("ben", candidate)
        assert ada.path("ben") == []
        await ada.service.handle_answer("ben", without_candidates(answer))
        await plays_on(ada, "ben")
        await plays_on(ben, "ada")


async def test_candidates_may_come_one_by_one_and_end():
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", without_candidates(offer))
        await ada.service.handle_answer("ben", without_candidates(answer))
        for candidate in [*candidates_of(offer), {"candidate": "", "sdpMid": "0"}]:
            await ben.service.handle_ice_candidate("ada", candidate)
        await plays_on(ada, "ben")
        await ada.service.handle_ice_candidate("ben", {"candidate": ""})
        await ada.service.handle_ice_candidate("ben", {"candidate": ""})
        await ada.service.handle_ice_candidate("ben", candidates_of(answer)[0])
        await plays_on(ada, "ben")


async def test_no_candidates_at_all_fail_in_time():
    async with ends("ada", "ben", connect_timeout_s=0.3) as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", without_candidates(offer))
        await ada.service.handle_ice_candidate("ben", {"candidate": ""})
        await ben.service.handle_ice_candidate("ada", {"candidate": ""})
        await ada.service.handle_answer("ben", without_candidates(answer))
        await until(lambda: ConnectionState.FAILED in ada.path("ben"))


async def test_more_candidates_than_anybody_has():
    async with ends("ada", "ben") as (ada, ben):
        await connect(ada, ben)
        line = "candidate:1 1 udp 1 192.0.2.1 {} typ host"
        candidates = [
            {"candidate": line.format(port), "sdpMid": "0"} for port in range(1, MAX_CANDIDATES + 2)
        ]
        for _ in range(3):  # sent again, because a signal may have been lost
            for candidate in candidates[:-1]:
                await ada.service.handle_ice_candidate("ben", candidate)
        with pytest.raises(MalformedCandidateError, match="only the first 100 are taken"):
            await ada.service.handle_ice_candidate("ben", candidates[-1])
        await plays_on(ada, "ben")


async def test_a_candidate_nobody_answers_at_hurts_nobody():
    async with ends("ada", "ben") as (ada, ben):
        await connect(ada, ben)
        for host, port in (("192.0.2.77", 9), ("nowhere", 1), ("255.255.255.255", 1), ("::", 0)):
            line = f"candidate:1 1 udp 1 {host} {port} typ host"
            await ada.service.handle_ice_candidate("ben", {"candidate": line, "sdpMid": "0"})
        await plays_on(ada, "ben")


# Calls overtaken by a close


@pytest.mark.parametrize("delay_turns", [0, 1, 2, 5])
async def test_a_call_overtaken_by_a_close_says_so(delay_turns):
    async with ends("ada") as (ada,):
        offering = asyncio.create_task(ada.service.create_offer("ben"))
        await turns(1 + delay_turns)
        await ada.service.close_peer("ben")
        with pytest.raises(PeerClosedError, match="the connection to 'ben' has been closed"):
            await offering
        assert ada.service.peers == frozenset()


async def test_a_peer_that_returns_at_once_is_let_in():
    async with ends("ada", "ben") as (ada, ben):
        await connect(ada, ben)
        closing = asyncio.gather(ada.service.close_peer("ben"), ben.service.close_peer("ada"))
        await turns(1)
        await signal(ada, ben)
        await closing
        await plays_on(ada, "ben")
