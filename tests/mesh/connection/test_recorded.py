"""Offers and candidates: those of browsers are read, any others read or refused in words."""

import re

import hypothesis.strategies as st
import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given

from jamlab.browsers.engines import Setting
from jamlab.browsers.installed import installed
from jamlab.browsers.launch import browsers, lacking
from jamlab.mesh.connection.description import read_candidate, read_description
from jamlab.mesh.connection.errors import MalformedCandidateError, MalformedDescriptionError
from jamlab.mesh.connection.events import ConnectionState
from tests.examples import examples
from tests.leaks import until
from tests.mesh.connection import grammar
from tests.mesh.jam import ends

RECORDED = pytest.mark.parametrize("path", grammar.RECORDED, ids=lambda path: path.stem)
OFFERS = [path for path in grammar.RECORDED if path.suffixes[-2] == ".offer"]


def test_both_browsers_were_recorded_in_all_situations():
    names = [path.name.split(".")[0].split("-", 1) for path in OFFERS]
    situations = {situation for _, situation in names}
    assert {"plain", "data-channel", "video-rejected", "replaceTrack-null"} <= situations
    assert {"renegotiation", "restartIce"} <= situations
    assert len(names) == 2 * len(situations)


@RECORDED
def test_what_a_browser_says_is_read(path):
    description = grammar.recorded(path)
    read = read_description(description, description["type"], "ada")
    [media] = SessionDescription.parse(read.sdp).media
    stated = SessionDescription.parse(description["sdp"]).media[read.place.index]
    assert media.ice == stated.ice
    assert media.dtls.fingerprints == stated.dtls.fingerprints
    assert (media.direction, media.rtp.muxId) == (stated.direction, stated.rtp.muxId)
    usable = {
        (candidate.ip, candidate.port)
        for candidate in stated.ice_candidates
        if candidate.protocol.lower() == "udp" and candidate.component == 1  # RTP and RTCP
    }
    assert {(candidate.ip, candidate.port) for candidate in media.ice_candidates} == usable


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("path", OFFERS, ids=lambda path: path.stem)
async def test_a_browsers_offer_is_answered_section_by_section(path):
    """RFC 3264 §6: as many sections, of the same media; RFC 8829 §5.3.1: unwanted ones, port 0."""
    offer = grammar.recorded(path)
    async with ends("ada") as (ada,):
        answer = await ada.service.handle_offer("ben", offer)
    offered = SessionDescription.parse(offer["sdp"]).media
    answered = SessionDescription.parse(answer["sdp"]).media
    assert [m.kind for m in answered] == [m.kind for m in offered]
    assert [m.profile for m in answered] == [m.profile for m in offered]
    assert [m.rtp.muxId for m in answered] == [m.rtp.muxId for m in offered]
    assert [m.port > 0 for m in answered] == [True] + [False] * (len(offered) - 1)
    assert answered[0].ice_candidates


@examples(200)
@given(st.sampled_from(grammar.RECORDED), st.randoms(use_true_random=False))
def test_neighbours_of_what_browsers_say_are_read(path, rng):
    description = grammar.recorded(path)
    sdp = grammar.neighbour(rng, description["sdp"])
    assert read_description({**description, "sdp": sdp}, description["type"], "ada")


@examples(1000)
@given(st.randoms(use_true_random=False), st.sampled_from(["offer", "answer"]))
def test_a_description_by_the_grammar_is_read_or_refused_in_words(rng, kind):
    try:
        read = read_description({"type": kind, "sdp": grammar.offer(rng)}, kind, "ada")
    except MalformedDescriptionError as error:
        reason = str(error)
    else:
        assert len(SessionDescription.parse(read.sdp).media) == 1
        return
    assert not grammar.PYTHON.search(reason)
    assert re.search(r"line \d+, [ma]=|no m=audio section|field 'sdp'", reason)


@examples(1000)
@given(st.randoms(use_true_random=False))
def test_a_candidate_by_the_grammar_is_read_or_refused_in_words(rng):
    try:
        read_candidate(grammar.candidate_init(rng), "ada")
    except MalformedCandidateError as error:
        reason = str(error)
    else:
        return
    assert not grammar.PYTHON.search(reason)


OFFER = """async ([before, after, bundlePolicy]) => {
  window.pc = new RTCPeerConnection({bundlePolicy});
  const add = {data: () => pc.createDataChannel("chat"), video: () => pc.addTransceiver("video")};
  before.forEach((kind) => add[kind]());
  pc.addTrack(new AudioContext().createMediaStreamDestination().stream.getAudioTracks()[0]);
  after.forEach((kind) => add[kind]());
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete") await new Promise((go) => setTimeout(go, 20));
  return pc.localDescription.sdp;
}"""
ANSWER = """async (sdp) => {
  await pc.setRemoteDescription({type: "answer", sdp});
  while (pc.connectionState !== "connected") await new Promise((go) => setTimeout(go, 20));
  const [audio] = pc.getTransceivers().filter((each) => each.receiver.track.kind === "audio");
  return audio.currentDirection;
}"""
MIXTURES = (
    ([], ["data"], "balanced"),
    ([], ["video", "data"], "balanced"),
    (["video"], ["data"], "balanced"),
    (["data"], ["video"], "max-bundle"),
)
"""What a page adds before and after its track, and how it bundles."""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["chromium", "firefox"])
async def test_a_browser_takes_our_answer_to_an_offer_with_other_sections(engine):
    if reason := lacking(engine):
        pytest.skip(reason)
    async with browsers(Setting(installed(engine)), {"ben": {}}, lambda _: "") as [browser]:
        for mixture in MIXTURES:
            async with ends("ada") as (ada,):
                sdp = await browser.page.evaluate(OFFER, mixture)
                answer = await ada.service.handle_offer("ben", {"type": "offer", "sdp": sdp})
                assert await browser.page.evaluate(ANSWER, answer["sdp"]) == "sendrecv"
                await until(lambda ada=ada: ada.state("ben") is ConnectionState.CONNECTED)
