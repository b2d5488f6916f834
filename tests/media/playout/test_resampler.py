"""The resampler against the expected sine, and against its own count of frames."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.resampler import LOOK_AHEAD, PRIMED, Resampler
from tests.examples import examples


class Tone:
    """A sine, left, and its quadrature, right, pulled frame by frame."""

    def __init__(self, frequency):
        self.omega = 2 * np.pi * frequency / SAMPLE_RATE
        self.pulled = 0

    def at(self, positions):
        phases = self.omega * np.asarray(positions, np.float64)
        return np.column_stack((np.sin(phases), np.cos(phases)))

    def pull(self, frames):
        block = self.at(np.arange(self.pulled, self.pulled + frames)).astype(np.float32)
        self.pulled += frames
        return block


def resampler_of(tone):
    return Resampler(tone.pull(PRIMED), tone.pull)


def snr_db(made, wanted):
    noise = np.sum((made - wanted) ** 2)
    return 10 * np.log10(np.sum(wanted**2) / noise)


class TestSound:
    @pytest.mark.parametrize(
        ("frequency", "least_db"), [(100, 110), (1000, 110), (10_000, 95), (15_000, 90)]
    )
    @pytest.mark.parametrize("ppm", [-300, -7, 0, 7, 300])
    def test_is_the_sine_at_the_positions_in_between(self, frequency, least_db, ppm):
        """Once the rate is reached; on the way there half the frames are at the old one."""
        tone, rate = Tone(frequency), 1 + ppm * 1e-6
        resampler = resampler_of(tone)
        for _ in range(8):
            resampler.read(64, rate, tone.pull)
        made = np.concatenate([resampler.read(64, rate, tone.pull) for _ in range(750)])
        position = PRIMED + 64 * (1 + rate) / 2 + 7 * 64 * rate
        positions = np.arange(len(made)) * rate
        basis = tone.at(positions)
        fit, *_ = np.linalg.lstsq(basis, made[:, 0].astype(float))
        assert snr_db(made[:, 0], basis @ fit) > least_db
        assert np.hypot(*fit) == pytest.approx(1, abs=1e-4)
        shift = np.angle(complex(*fit) * np.exp(-1j * tone.omega * position)) / tone.omega
        assert abs(shift) < 1e-3

    def test_it_begins_where_the_past_ended(self):
        """What was played as it was and what is made now are one sine."""
        tone = Tone(997)
        past = tone.pull(PRIMED)
        made = Resampler(past, tone.pull).read(256, 1.0, tone.pull)
        assert snr_db(made, tone.at(PRIMED + np.arange(256))) > 100
        assert np.abs(np.diff(np.concatenate((past, made))[:, 0], 2)).max() < tone.omega**2 * 1.001

    def test_a_rate_that_changes_leaves_no_step(self):
        """A sine's second difference is ω² of it; a slip of a hundredth of a frame would show."""
        tone = Tone(997)
        resampler = resampler_of(tone)
        rates = 1 + 300e-6 * np.sin(np.arange(2000) / 20)
        made = np.concatenate([resampler.read(64, rate, tone.pull) for rate in rates])[:, 0]
        left_over = made[2:] + made[:-2] - 2 * np.cos(tone.omega) * made[1:-1]
        assert np.abs(left_over).max() < 0.01 * tone.omega * 0.02

    def test_silence_stays_silence(self):
        def quiet(frames):
            return np.zeros((frames, 2), np.float32)

        resampler = Resampler(quiet(PRIMED), quiet)
        assert not resampler.read(4800, 1.0001, quiet).any()


class TestCount:
    @examples(60)
    @given(
        st.lists(
            st.tuples(st.integers(0, 3000), st.floats(1 - 5e-4, 1 + 5e-4)), min_size=1, max_size=40
        )
    )
    def test_always_what_was_asked_for_and_never_more_than_is_needed(self, reads):
        """Up to what a rate that changes within a read leaves open."""
        tone, used, least, most = Tone(440), float(PRIMED), 1.0, 1.0
        resampler = resampler_of(tone)
        for frames, rate in reads:
            block = resampler.read(frames, rate, tone.pull)
            assert block.shape == (frames, 2)
            assert block.dtype == np.float32
            least, most = min(least, rate), max(most, rate)
            used += frames
        asked = used - PRIMED
        assert used + asked * (least - 1) + LOOK_AHEAD - 2 <= tone.pulled
        assert tone.pulled <= used + asked * (most - 1) + LOOK_AHEAD + 2

    @pytest.mark.slow
    def test_for_ten_minutes_no_frame_too_many(self):
        tone = Tone(440)
        resampler, rate = resampler_of(tone), 1 + 150e-6
        for _ in range(600 * SAMPLE_RATE // 4096):
            resampler.read(4096, rate, tone.pull)
        used = PRIMED + (600 * SAMPLE_RATE // 4096) * 4096 * rate
        assert tone.pulled - used == pytest.approx(LOOK_AHEAD, abs=1.5)

    @pytest.mark.parametrize("frames", [1, 2, 63, 64, 65, 4096])
    def test_a_read_asks_the_source_a_few_times_only(self, frames):
        tone, asked = Tone(440), []

        def pull(count):
            asked.append(count)
            return tone.pull(count)

        resampler = Resampler(tone.pull(PRIMED), pull)
        for _ in range(50):
            asked.clear()
            resampler.read(frames, 1.0003, pull)
            assert len(asked) <= 5


class TestSource:
    def test_an_error_of_the_source_comes_out(self):
        def broken(frames):
            raise ValueError("no more")

        tone = Tone(440)
        resampler = resampler_of(tone)
        with pytest.raises(ValueError, match="no more"):
            resampler.read(64, 1.0, broken)

    def test_who_is_no_longer_used_is_freed(self):
        class Owner(Tone):
            def __init__(self):
                super().__init__(440)
                self.resampler = Resampler(self.pull(PRIMED), self.pull)

        owner = Owner()
        owner.resampler.read(64, 1.0, owner.pull)
        gone = weakref.ref(owner)
        del owner
        gc.collect()
        assert gone() is None
