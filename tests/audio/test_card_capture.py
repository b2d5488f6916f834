"""A virtual card that captures, one that only plays, and one that has no microphone."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.card import MicrophoneUnavailableError, Recording, VirtualCard
from jamlab.audio.pcm import SAMPLE_RATE, silence
from jamlab.networks.simulated.loop import run_simulated
from tests.examples import examples

BLOCK = 480


def loud(start, frames):
    """A source that is never silent."""
    positions = np.arange(start + 1, start + frames + 1, dtype=np.float32)
    return np.column_stack((positions, -positions))


class Ears:
    """A callback that keeps what it was given, and returns ones to play."""

    def __init__(self):
        self.captured = []

    def __call__(self, block):
        self.captured.append(block)
        return np.ones_like(block)

    @property
    def heard(self):
        return np.concatenate(self.captured)


async def run(card, callback, blocks, **options):
    """Start a card and let it play so many blocks."""
    card.start(callback, **options)
    await asyncio.sleep((blocks + 0.5) * card.block_frames / SAMPLE_RATE)
    card.stop()


@examples(30)
@given(
    st.integers(1, 1000),
    st.integers(1, 20),
    st.sampled_from([{}, {"capture": True}, {"capture": False}]),
    st.booleans(),
)
def test_it_captures_when_it_is_to_and_can(block, blocks, options, microphone):
    ears = Ears()
    card = VirtualCard(loud, block_frames=block, microphone=microphone)
    wanted = options.get("capture", True)
    if wanted and not microphone:
        with pytest.raises(MicrophoneUnavailableError):
            run_simulated(run(card, ears, blocks, **options))
        assert ears.captured == []
        return
    run_simulated(run(card, ears, blocks, **options))
    expected = loud(0, blocks * block) if wanted else silence(blocks * block)
    np.testing.assert_array_equal(ears.heard, expected)


@pytest.mark.parametrize("microphone", [True, False])
def test_without_capture_it_plays_what_it_is_given(microphone):
    recording = Recording()
    card = VirtualCard(loud, block_frames=BLOCK, recording=recording, microphone=microphone)
    run_simulated(run(card, Ears(), 10, capture=False))
    played = recording.pcm
    assert (played[: card.round_trip_frames] == 0).all()
    assert (played[card.round_trip_frames :] == 1).all()
    assert len(played) == card.round_trip_frames + 10 * BLOCK


def test_without_capture_nothing_of_the_source_is_asked_for():
    """A microphone that is not to be used is not opened."""

    def source(start, frames):
        raise AssertionError("asked for sound")

    card = VirtualCard(source, block_frames=BLOCK)
    ears = Ears()
    run_simulated(run(card, ears, 5, capture=False))
    assert len(ears.captured) == card.counters.blocks == 5


class TestNoMicrophone:
    def test_it_has_not_begun(self):
        async def main():
            recording, ears = Recording(), Ears()
            card = VirtualCard(loud, block_frames=BLOCK, recording=recording, microphone=False)
            with pytest.raises(MicrophoneUnavailableError):
                card.start(ears)
            await asyncio.sleep(1)
            assert (ears.captured, len(recording), card.counters.blocks) == ([], 0, 0)
            with pytest.raises(RuntimeError, match="not been started"):
                card.frame_at(0.0)
            card.stop()

        run_simulated(main())

    def test_it_can_still_be_started_to_play_only(self):
        async def main():
            ears = Ears()
            card = VirtualCard(loud, block_frames=BLOCK, microphone=False)
            with pytest.raises(MicrophoneUnavailableError):
                card.start(ears)
            await run(card, ears, 5, capture=False)
            return card, ears

        card, ears = run_simulated(main())
        assert card.counters.blocks == 5
        assert not ears.heard.any()

    def test_the_error_says_what_and_what_to_do(self):
        async def main():
            with pytest.raises(MicrophoneUnavailableError, match=r"no microphone: only listen"):
                VirtualCard(microphone=False).start(Ears())

        run_simulated(main())

    def test_the_error_is_one_of_the_system_as_those_of_real_cards(self):
        assert issubclass(MicrophoneUnavailableError, OSError)

    def test_what_was_started_before_is_said_first(self):
        """A used card cannot be started again, with or without its microphone."""

        async def main():
            card = VirtualCard(block_frames=BLOCK, microphone=False)
            await run(card, Ears(), 1, capture=False)
            for capture in True, False:
                with pytest.raises(RuntimeError, match="started before"):
                    card.start(Ears(), capture=capture)

        run_simulated(main())


def test_by_default_there_is_a_microphone_and_it_is_used():
    ears = Ears()
    run_simulated(run(VirtualCard(loud, block_frames=BLOCK), ears, 3))
    np.testing.assert_array_equal(ears.heard, loud(0, 3 * BLOCK))
