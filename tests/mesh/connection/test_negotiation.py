"""Negotiation with peers whose candidates are few, bad, many, or names that nobody knows."""

import asyncio
import re

import aioice.ice
import pytest
from aiortc.sdp import SessionDescription

from jamlab.mesh.connection.description import MAX_CANDIDATES
from jamlab.mesh.connection.events import ConnectionState
from tests.leaks import until
from tests.mesh.jam import connect, ends, plays_on
from tests.mesh.test_mistakes import candidates_of, without_candidates

pytestmark = pytest.mark.usefixtures("nothing_left")

NAME = "candidate:1 1 udp 2130706431 nobody-{}.local 5000 typ host"
TCP = "candidate:1 1 tcp 1518280447 192.0.2.10 9 typ host tcptype active"
BAD = (
    "candidate:1 1 udp 2130706431 [2001:db8::1] 24722 typ host",
    "candidate:1 1 udp 2130706431 192.0.2.1 99999 typ host",
    "candidate:1 1 udp 18446744073709551615 192.0.2.1 9 typ host",
    "candidate:1 1 udp 2130706431",
    "candidate:1 1 udp 2130706431 host.example 9 typ host",
)


def with_lines(description, *lines):
    return {**description, "sdp": description["sdp"] + "".join(f"a={line}\r\n" for line in lines)}


def with_these_candidates(description, *lines):
    """Return a description with other candidates, and the end of them."""
    return with_lines(without_candidates(description), *lines, "end-of-candidates")


def candidate(line):
    return {"candidate": line, "sdpMid": "0"}


@pytest.fixture
def unanswered(monkeypatch):
    """Names of mDNS that are never resolved, not even in vain."""

    async def resolve(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(aioice.mdns.MDnsProtocol, "resolve", resolve)


@pytest.mark.parametrize("lines", [(), (NAME.format(1),), (TCP,), BAD], ids=len)
@pytest.mark.usefixtures("unanswered")
async def test_an_end_of_useless_candidates_is_not_the_end_of_hope(lines):
    """RFC 8863 §3: peer-reflexive candidates may come until the attempt's own time limit."""
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", with_these_candidates(offer, *lines))
        assert candidates_of(answer)
        await ben.service.handle_ice_candidate("ada", candidate(""))
        await ada.service.handle_answer("ben", answer)
        await plays_on(ada, "ben")
        await plays_on(ben, "ada")
        assert ConnectionState.FAILED not in ada.path("ben") + ben.path("ada")


@pytest.mark.usefixtures("unanswered")
async def test_it_is_not_in_an_answer_either():
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", offer)
        useless = with_these_candidates(answer, NAME.format(1), TCP)
        await ada.service.handle_answer("ben", useless)
        await ada.service.handle_ice_candidate("ben", candidate(""))
        await plays_on(ada, "ben")


async def test_bad_candidates_do_not_cost_the_good_ones():
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", with_lines(offer, *BAD))
        await ada.service.handle_answer("ben", with_lines(without_candidates(answer), *BAD))
        await plays_on(ada, "ben")


@pytest.mark.usefixtures("unanswered")
async def test_names_hold_up_no_other_candidate():
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", without_candidates(offer))
        await ada.service.handle_answer("ben", without_candidates(answer))
        for number in range(3):
            await ben.service.handle_ice_candidate("ada", candidate(NAME.format(number)))
        for good in candidates_of(offer):
            await ben.service.handle_ice_candidate("ada", good)
        await plays_on(ben, "ada")


async def test_a_port_of_mdns_that_is_taken_costs_only_the_name(monkeypatch):
    async def taken():
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(aioice.mdns, "create_mdns_protocol", taken)
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", with_lines(offer, NAME.format(1)))
        await ada.service.handle_answer("ben", with_lines(answer, NAME.format(1)))
        await plays_on(ada, "ben")


async def test_a_machine_with_more_addresses_than_candidates_are_taken(monkeypatch):
    """We can read what we write: the surplus is pruned."""
    many = [f"127.0.0.{number}" for number in range(1, MAX_CANDIDATES + 21)]
    for addresses in ("host_addresses", "network_addresses"):
        monkeypatch.setattr(f"jamlab.media.agent.agent.{addresses}", lambda: many)
    async with ends("ada", "ben") as (ada, ben):
        await connect(ada, ben)
        await plays_on(ada, "ben")


def browsers_offer(offer):
    """Return an offer with a data channel before the audio section and rejected video after it."""
    head, audio = offer["sdp"].replace("BUNDLE 0", "BUNDLE 0 data").split("m=", 1)
    data = (
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:data\r\n"
        "a=sctp-port:5000\r\n"
    )
    video = "m=video 0 UDP/TLS/RTP/SAVPF 120\r\nc=IN IP4 0.0.0.0\r\na=mid:video\r\n"
    return {**offer, "sdp": f"{head}{data}m={audio}{video}"}


async def test_our_candidates_state_the_section_that_we_answered():
    async with ends("ada", "ben") as (ada, ben):
        stated = []
        ben.service.on_ice_candidate(lambda local: stated.append(local.candidate))
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", browsers_offer(offer))
        media = SessionDescription.parse(answer["sdp"]).media
        assert [(m.kind, m.port > 0) for m in media] == [
            ("application", False),
            ("audio", True),
            ("video", False),
        ]
        await until(lambda: stated)
        assert {(each["sdpMid"], each["sdpMLineIndex"]) for each in stated} == {("0", 1)}


async def test_candidates_of_other_sections_are_left_out():
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        good = candidates_of(offer)[0]["candidate"]
        early = {"candidate": good, "sdpMid": "video", "sdpMLineIndex": 2}
        await ben.service.create_peer_connection("ada")
        await ben.service.handle_ice_candidate("ada", early)
        await ben.service.handle_offer("ada", browsers_offer(without_candidates(offer)))
        for _ in range(2 * MAX_CANDIDATES):
            await ben.service.handle_ice_candidate("ada", early)
        assert not ben.service._peers["ada"]._agent.remote_candidates
        ours = {"candidate": good, "sdpMid": None, "sdpMLineIndex": 1}
        await ben.service.handle_ice_candidate("ada", ours)
        assert len(ben.service._peers["ada"]._agent.remote_candidates) == 1


@pytest.mark.parametrize(("direction", "answered"), [("recvonly", "sendonly"), ("inactive",) * 2])
async def test_the_direction_of_the_session_is_answered(direction, answered):
    """RFC 3264 §6.1."""
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        sdp = re.sub("a=sendrecv\r\n", "", offer["sdp"]).replace("m=", f"a={direction}\r\nm=", 1)
        answer = await ben.service.handle_offer("ada", {**offer, "sdp": sdp})
        assert SessionDescription.parse(answer["sdp"]).media[0].direction == answered
