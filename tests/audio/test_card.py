"""The virtual card against the drawing in its module, on an event loop with a clock of its own."""

import asyncio
import selectors
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jamlab.audio.card import CardCounters, Recording, SoundCard, VirtualCard, no_sound
from jamlab.audio.pcm import SAMPLE_RATE, silence
from tests.examples import examples


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on which waiting takes no time, and work takes what a test says it takes."""

    def __init__(self):
        self.now_s = 0.0
        super().__init__(_NoWait(self))

    def time(self):
        return self.now_s


class _NoWait(selectors.DefaultSelector):
    def __init__(self, loop):
        super().__init__()
        self._loop = loop

    def select(self, timeout=None):
        self._loop.now_s += timeout or 0
        return super().select(0)


def play(card, callback, frames, hang=None):
    """Run a card for some frames; `hang` is a pair of frames between which the loop is busy."""

    async def session():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        if hang:
            loop.call_at(card_free(hang[0]), setattr, loop, "now_s", card_free(hang[1]))
        card.start(callback)
        await asyncio.sleep(frames / SAMPLE_RATE + 1e-7)
        for _ in range(2 * frames // card.block_frames):
            await asyncio.sleep(0)  # if it hung to the end, the card catches up
        card.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(session())


def card_free(frame):
    """When a frame of a card without skew, started at 0, is."""
    return frame / SAMPLE_RATE


def numbered(start, frames):
    """A source every frame of which says its own position, counted from 1."""
    positions = np.arange(start + 1, start + frames + 1, dtype=np.float32)
    return np.column_stack((positions, -positions))


class Counting:
    """A callback that keeps what it was given, and returns blocks full of its own count."""

    def __init__(self):
        self.captured = []
        self.times_s = []

    def __call__(self, block):
        self.captured.append(block)
        self.times_s.append(asyncio.get_running_loop().time())
        return np.full_like(block, len(self.captured))


SHAPES = [(64, 2), (64, 3), (128, 2), (1, 2), (441, 4)]


@pytest.mark.parametrize(("block", "periods"), SHAPES)
class TestDrawing:
    def test_captured(self, block, periods):
        callback = Counting()
        play(VirtualCard(numbered, block_frames=block, periods=periods), callback, 10 * block)
        assert len(callback.captured) == 10
        np.testing.assert_array_equal(np.concatenate(callback.captured), numbered(0, 10 * block))

    def test_called_when_the_block_is_complete(self, block, periods):
        callback = Counting()
        play(VirtualCard(block_frames=block, periods=periods), callback, 10 * block)
        due = [(k + 1) * block / SAMPLE_RATE for k in range(10)]
        assert callback.times_s == pytest.approx(due, abs=1e-12)

    def test_played(self, block, periods):
        """What callback *k* returns begins at frame ``(k + periods) * block``."""
        recording = Recording()
        card = VirtualCard(block_frames=block, periods=periods, recording=recording)
        play(card, Counting(), 10 * block)
        for k in range(10):
            played = recording.block((k + periods) * block, block)
            np.testing.assert_array_equal(played, np.full((block, 2), k + 1))
        assert not recording.block(0, periods * block).any()
        assert len(recording) == (10 + periods) * block

    def test_an_impulse_goes_round(self, block, periods):
        at = 3 * block + block // 2

        def click(start, frames):
            sound = silence(frames)
            if start <= at < start + frames:
                sound[at - start] = 1
            return sound

        recording = Recording()
        card = VirtualCard(click, block_frames=block, periods=periods, recording=recording)
        play(card, lambda captured: captured, 10 * block)
        heard = np.flatnonzero(recording.pcm[:, 0])
        assert heard.tolist() == [at + card.round_trip_frames]

    def test_what_is_played_can_be_captured(self, block, periods):
        """A microphone before the loudspeaker hears frame *n* as frame *n*."""
        recording = Recording()
        card = VirtualCard(
            recording.block, block_frames=block, periods=periods, recording=recording
        )
        callback = Counting()
        play(card, callback, 12 * block)
        heard = np.concatenate(callback.captured)
        np.testing.assert_array_equal(heard, recording.block(0, 12 * block))
        assert heard.any()


class TestUnderrun:
    @examples(60)
    @given(
        shape=st.sampled_from(SHAPES[:3]),
        begin=st.integers(0, 600),
        length=st.integers(1, 1500),
    )
    @example((64, 2), 64 * 3 - 1, 64)  # back half a frame before block 2 begins to sound
    @example((64, 2), 64 * 3 - 1, 65)  # and half a frame after
    def test_late_callbacks_are_silence_on_their_own_frames(self, shape, begin, length):
        block, periods = shape
        recording = Recording()
        card = VirtualCard(block_frames=block, periods=periods, recording=recording)
        callback = Counting()
        end = begin + length
        play(card, callback, 20 * block, hang=(begin + 0.5, end + 0.5))
        called = len(callback.captured)
        late = 0
        for k in range(called):
            held_back = begin < (k + 1) * block <= end
            missed = held_back and end + 0.5 > (k + periods) * block
            late += missed
            expected = 0 if missed else k + 1
            played = recording.block((k + periods) * block, block)
            np.testing.assert_array_equal(played, np.full((block, 2), expected))
        assert card.counters.underruns == late
        assert card.counters.blocks == called
        assert called == max(20 * block, end) // block

    def test_the_callback_is_told_when_it_cannot_be_heard(self):
        card = VirtualCard(numbered)
        told = []

        def callback(captured):
            told.append(card.too_late)
            return captured

        play(card, callback, 6400, hang=(1000, 3000))
        assert sum(told) == card.counters.underruns > 0
        assert not told[0]
        assert not told[-1]

    def test_a_late_card_still_captures_everything(self):
        callback = Counting()
        play(VirtualCard(numbered), callback, 6400, hang=(1000, 3000))
        np.testing.assert_array_equal(np.concatenate(callback.captured), numbered(0, 6400))

    def test_after_a_long_stall_it_drops_what_is_overdue(self):
        """Else a busy machine makes late callbacks alone, for as long as it is busy."""
        began, ended, block = 1000, 1000 + 48_000, 64
        callback, recording, told = Counting(), Recording(), []
        card = VirtualCard(numbered, recording=recording)

        def told_by(captured):
            told.append(card.too_late)
            return callback(captured)

        play(card, told_by, 60_000, hang=(began, ended))
        lost = card.counters.overruns
        assert (ended - began) // block - 2 <= lost <= (ended - began) // block + 2
        assert sum(told) <= 1
        assert len(callback.captured) == card.counters.blocks - lost == 60_000 // block - lost
        after = (began // block + lost) * block
        heard = np.concatenate(callback.captured[began // block :])
        np.testing.assert_array_equal(heard, numbered(after, len(heard)))
        assert not recording.block(began + 2 * block, ended - began - 2 * block).any()
        assert recording.block(ended + 4 * block, 10_000).all()

    def test_between_late_callbacks_the_loop_has_its_turn(self):
        """What another card sent while all hung arrives before this one asks for the next block."""
        order = []

        def callback(captured):
            order.append("card")
            asyncio.get_running_loop().call_soon(order.append, "network")
            return captured

        play(VirtualCard(), callback, 640, hang=(100, 500))
        assert order[:18] == ["card", "network"] * 9

    def test_share(self):
        assert CardCounters().underrun_share == 0
        assert CardCounters(blocks=8, underruns=2).underrun_share == 0.25


class TestClock:
    @pytest.mark.parametrize("ppm", [-500.0, -100.0, 0.0, 37.5, 1000.0])
    def test_skew_over_100_s(self, ppm):
        card = VirtualCard(block_frames=480, skew_ppm=ppm)
        play(card, lambda captured: captured, 100 * SAMPLE_RATE)
        assert card.counters.blocks == int(100 * SAMPLE_RATE * (1 + ppm * 1e-6) / 480 + 1e-6)
        assert card.counters.underruns == 0

    @given(st.floats(-1000, 1000), st.floats(0, 1e7), st.floats(0, 1e4))
    def test_frames_and_times_are_inverse(self, ppm, frame, started_s):
        card = VirtualCard(skew_ppm=ppm)
        card.started_s = started_s
        assert card.frame_at(card.time_of(frame)) == pytest.approx(frame, abs=1e-3)
        nominal = SAMPLE_RATE * (1 + ppm * 1e-6)
        assert card.frame_at(started_s + 1) == pytest.approx(nominal, abs=1e-3)

    def test_no_timeline_before_the_start(self):
        card = VirtualCard()
        with pytest.raises(RuntimeError, match="not been started"):
            card.frame_at(0)
        with pytest.raises(RuntimeError, match="not been started"):
            card.time_of(0)


class TestStartAndStop:
    def test_stop_inside_the_callback(self):
        callback = Counting()
        card = VirtualCard(recording=Recording())

        def stop_at_third(captured):
            played = callback(captured)
            if len(callback.captured) == 3:
                card.stop()
            return played

        play(card, stop_at_third, 6400)
        assert len(callback.captured) == card.counters.blocks == 3

    def test_stop_inside_one_of_many_overdue_callbacks(self):
        card = VirtualCard()

        def stop_at_third(captured):
            if card.counters.blocks == 3:
                card.stop()
            return captured

        play(card, stop_at_third, 6400, hang=(10, 3000))
        assert card.counters.blocks == 3

    def test_stop_twice_and_unstarted(self):
        card = VirtualCard()
        card.stop()
        play(card, Counting(), 640)
        card.stop()
        assert card.counters.blocks == 10

    def test_starts_once_only(self):
        card = VirtualCard()
        play(card, Counting(), 640)
        with pytest.raises(RuntimeError, match="started before"):
            card.start(Counting())

    def test_needs_a_running_loop(self):
        with pytest.raises(RuntimeError, match="no running event loop"):
            VirtualCard().start(Counting())

    def test_a_block_of_the_wrong_shape_is_reported_once_and_silent(self, caplog):
        recording = Recording()
        card = VirtualCard(recording=recording)
        play(card, lambda captured: captured[:-1] + 1, 640)
        assert card.counters.blocks == 10  # it stopped after the first
        assert not recording.pcm.any()
        assert caplog.text.count("asked for (64, 2), got (63, 2)") == 1

    def test_a_callback_that_raises_once_plays_on(self, caplog):
        """One block of silence for it, and every other one as if it had not happened."""
        recording = Recording()
        card = VirtualCard(numbered, recording=recording)

        def failing(captured):
            if card.counters.blocks == 4:
                raise ZeroDivisionError("the fourth block")
            return captured

        play(card, failing, 640)
        assert card.counters.blocks == 10
        played = recording.pcm[128:].reshape(-1, 64, 2)
        expected = numbered(0, 640).reshape(-1, 64, 2)
        expected[3] = 0
        assert np.array_equal(played, expected[: len(played)])
        assert caplog.text.count("ZeroDivisionError: the fourth block") == 1

    def test_a_source_that_raises_once_is_silent_for_a_block(self, caplog):
        def source(start, frames):
            if start == 128:
                raise ZeroDivisionError("no sound")
            return silence(frames) + 1

        card = VirtualCard(source)
        counting = Counting()
        play(card, counting, 640)
        assert [block.any() for block in counting.captured] == [True, True, False] + [True] * 7
        assert caplog.text.count("ZeroDivisionError: no sound") == 1

    @pytest.mark.parametrize(("block", "periods"), [(0, 2), (-64, 2), (64, 1), (64, 0)])
    def test_bad_parameters(self, block, periods):
        with pytest.raises(ValueError, match=f"not {block} and {periods}"):
            VirtualCard(block_frames=block, periods=periods)

    def test_is_a_sound_card(self):
        card: SoundCard = VirtualCard(block_frames=128, periods=3)
        assert card.round_trip_frames == 384
        assert card.block_frames == 128

    def test_nothing_before_the_microphone(self):
        assert not no_sound(100, 64).any()


class TestRecording:
    @examples(40)
    @given(
        lengths=st.lists(st.integers(0, 60_000), max_size=6),
        start=st.integers(-1000, 200_000),
        frames=st.integers(0, 110_000),
    )
    @example([SAMPLE_RATE], SAMPLE_RATE - 1, 2)
    @example([SAMPLE_RATE - 1, 2], SAMPLE_RATE - 1, 2)
    @example([3 * SAMPLE_RATE], 0, 3 * SAMPLE_RATE)
    def test_is_one_long_array(self, lengths, start, frames):
        recording = Recording()
        ends = list(accumulate(lengths, initial=0))
        for begin, end in pairwise(ends):
            recording.write(numbered(begin, end - begin))
        assert len(recording) == ends[-1]
        np.testing.assert_array_equal(recording.pcm, numbered(0, ends[-1]))
        positions = np.arange(start, start + frames)
        inside = (positions >= 0) & (positions < ends[-1])
        expected = np.where(inside[:, np.newaxis], numbered(start, frames), 0)
        np.testing.assert_array_equal(recording.block(start, frames), expected)

    @examples(20)
    @given(st.lists(st.integers(0, 90_000), max_size=6), st.integers(1, 2))
    def test_one_that_forgets_has_the_last_seconds(self, lengths, keep_s):
        recording = Recording(keep_s)
        ends = list(accumulate(lengths, initial=0))
        for begin, end in pairwise(ends):
            recording.write(numbered(begin, end - begin))
        assert len(recording) == ends[-1]
        kept = min(ends[-1], keep_s * SAMPLE_RATE)
        np.testing.assert_array_equal(
            recording.block(ends[-1] - kept, kept), numbered(ends[-1] - kept, kept)
        )
        forgotten = recording.block(0, max(0, ends[-1] - (keep_s + 1) * SAMPLE_RATE))
        assert not forgotten.any()

    def test_copies_in_and_out(self):
        recording = Recording()
        block = numbered(0, 64)
        recording.write(block)
        block += 1
        recording.pcm[:] = 0
        recording.block(0, 64)[:] = 0
        np.testing.assert_array_equal(recording.pcm, numbered(0, 64))
