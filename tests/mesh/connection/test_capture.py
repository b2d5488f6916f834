"""Announcements of a peer's capture and sound changes, and the checks of them."""

import math
from fractions import Fraction

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.audio.card import VirtualCard
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.quality import FRAME_LENGTHS, HIGH_QUALITY, LOW_LATENCY
from jamlab.mesh.connection.capture import MAX_FRAMES, Capture, SoundChange, capture_of
from jamlab.signaling.memory import MemoryChannel
from tests.mesh.jam import BLOCK, CHEAP, Member, ends

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def mean_wait_frames(frame, block):
    """Follow frames until both periods are through, and average what each waits for its block."""
    ends_at = range(frame, math.lcm(frame, block) + 1, frame)
    waits = [-end % block for end in ends_at]
    return Fraction(sum(waits), len(waits))


@given(st.sampled_from(FRAME_LENGTHS), st.integers(1, 4096))
def test_the_wait_is_the_mean_over_all_frames(frame, block):
    wait_s = Capture(block, 120).wait_s(frame)
    assert wait_s * SAMPLE_RATE == pytest.approx(float(mean_wait_frames(frame, block)), abs=1e-6)


@pytest.mark.parametrize(
    ("frame", "block", "wait"), [(120, 64, 28), (480, 480, 0), (120, 480, 180)]
)
def test_waits_of_usual_cards(frame, block, wait):
    """Of 120 in blocks of 64: 0, 8, 16, … 56 frames; of four in one of 480: 360, 240, 120, 0."""
    assert Capture(block, 0).wait_s(frame) * SAMPLE_RATE == pytest.approx(wait)


@pytest.mark.parametrize(("quality", "lookahead"), [(LOW_LATENCY, 120), (HIGH_QUALITY, 312)])
def test_it_is_told_as_it_is(quality, lookahead):
    capture = Capture.of(VirtualCard(block_frames=96), quality)
    told = {"type": "offer", "capture": capture.to_dict()}
    assert told["capture"] == {"blockFrames": 96, "lookaheadFrames": lookahead}
    assert capture_of(told) == capture


@given(st.integers(1, MAX_FRAMES), st.integers(0, MAX_FRAMES), st.sampled_from(FRAME_LENGTHS))
def test_a_change_is_told_as_it_is(block, lookahead, frame):
    change = SoundChange(Capture(block, lookahead), frame)
    assert SoundChange.from_data(change.to_data()) == change


@given(
    st.fixed_dictionaries(
        {"kind": st.just("sound change") | JSON},
        optional={
            "capture": JSON
            | st.fixed_dictionaries({"blockFrames": JSON, "lookaheadFrames": JSON})
            | st.just({"blockFrames": 64, "lookaheadFrames": 120}),
            "frameFrames": JSON | st.integers(0, 3000),
        },
    )
)
def test_whatever_change_comes_is_read_or_ignored(data):
    change = SoundChange.from_data(data)
    assert change is None or (change.frame_frames in FRAME_LENGTHS and change.to_data() == data)


@given(st.dictionaries(st.just("capture"), JSON) | st.dictionaries(st.text(), JSON))
def test_whatever_comes_is_read_or_ignored(description):
    capture = capture_of(description)
    assert capture is None or 1 <= capture.block_frames <= MAX_FRAMES


@given(
    block=st.integers() | st.floats() | st.booleans() | st.text(),
    lookahead=st.integers() | st.floats() | st.none(),
)
def test_only_whole_lengths_within_a_second_are_believed(block, lookahead):
    capture = capture_of({"capture": {"blockFrames": block, "lookaheadFrames": lookahead}})
    whole = type(block) is type(lookahead) is int
    if whole and 1 <= block <= MAX_FRAMES and 0 <= lookahead <= MAX_FRAMES:
        assert capture == Capture(block, lookahead)
    else:
        assert capture is None


async def told_by_offer(told):
    """What is known of a peer whose offer says that."""
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        answer = await ben.service.handle_offer("ada", {**offer, **told})
        await ada.service.handle_answer("ben", {**answer, **told})
        (of_ada,), (of_ben,) = [await end.service.read(1.0) for end in (ben, ada)]
    assert of_ada.capture == of_ben.capture
    return of_ada.capture


@pytest.mark.usefixtures("nothing_left")
class TestPeers:
    async def test_what_an_offer_or_an_answer_tells_is_remembered(self):
        told = {"capture": {"blockFrames": 1024, "lookaheadFrames": 120}}
        assert await told_by_offer(told) == Capture(1024, 120)

    @pytest.mark.parametrize(
        "told", [{}, {"capture": 7}, {"capture": {"blockFrames": -1, "lookaheadFrames": 0}}]
    )
    async def test_of_a_peer_that_does_not_tell_our_own_is_assumed(self, told):
        assert await told_by_offer(told) == Capture(BLOCK, CHEAP.lookahead_frames)

    async def test_sessions_tell(self):
        channel = MemoryChannel()
        ada, ben = Member("ada", channel), Member("ben", channel)
        ben.session.card = VirtualCard(block_frames=1024)
        async with ada.session, ben.session:
            await ada.session.wait_connected(30, "ben")
            await ben.session.wait_connected(30, "ada")
            (of_ben,), (of_ada,) = [await end.service.read(1.0) for end in (ada, ben)]
        assert of_ben.capture == Capture(1024, CHEAP.lookahead_frames)
        assert of_ada.capture == Capture(BLOCK, CHEAP.lookahead_frames)

    async def test_a_description_alone_is_as_the_w3c_has_it(self):
        async with ends("ada") as (ada,):
            assert set(await ada.service.create_offer("ben")) == {"type", "sdp"}
