"""Detection of tones in mixes of known tones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE, silence
from jamlab.measure.acceptance.sines import tone
from jamlab.measure.acceptance.who_is_heard import (
    exactly_heard_share,
    tone_levels,
    tones_heard,
    tones_over_time,
)
from tests.examples import examples

TONES_HZ = {"ada": 997.0, "ben": 1499.0, "cleo": 2503.0}
WINDOW = SAMPLE_RATE // 4


def mix(frames=WINDOW, start=0, **levels_dbfs):
    """The sum of some people's tones at their levels."""
    sources = (tone((TONES_HZ[n], TONES_HZ[n]), level) for n, level in levels_dbfs.items())
    return sum((source(start, frames) for source in sources), silence(frames))


class TestLevels:
    def test_of_everybody_in_both_channels(self):
        block = mix(ada=-20, ben=-35)
        block[:, 1] *= 0.5
        levels_dbfs = tone_levels(block, [*TONES_HZ.values()])
        np.testing.assert_allclose(levels_dbfs[:, 0], [-20, -26.02], atol=0.01)
        np.testing.assert_allclose(levels_dbfs[:, 1], [-35, -41.02], atol=0.01)
        assert (levels_dbfs[:, 2] < -100).all()

    def test_a_jump_by_half_a_period_is_not_silence(self):
        """As when the playout's delay moves: half a period later, the same tone sounds on."""
        half = round(SAMPLE_RATE / 997 / 2)
        jumping = np.concatenate(
            [mix(WINDOW // 2, ada=-20), mix(WINDOW // 2, WINDOW // 2 + half, ada=-20)]
        )
        assert tone_levels(jumping, [997.0])[0, 0] == pytest.approx(-20, abs=1)


class TestHeard:
    @examples(25)
    @given(st.sets(st.sampled_from([*TONES_HZ])), st.floats(-60, -10))
    def test_exactly_those_who_play(self, who, level_dbfs):
        block = mix(**dict.fromkeys(who, level_dbfs))
        assert tones_heard(block, TONES_HZ, level_dbfs, WINDOW) == [who]

    def test_in_one_channel_only_is_not_heard(self):
        block = mix(ada=-20)
        block[:, 1] = 0
        assert tones_heard(block, TONES_HZ, -20, WINDOW) == [set()]

    @pytest.mark.parametrize(("quieter_db", "heard"), [(5.9, {"ada"}), (6.1, set())])
    def test_six_decibels_less_is_the_bound(self, quieter_db, heard):
        assert tones_heard(mix(ada=-20 - quieter_db), TONES_HZ, -20, WINDOW) == [heard]


class TestShare:
    def test_it_counts_the_stretches_with_exactly_the_expected(self):
        parts = (
            mix(ada=-20, ben=-20),
            mix(ada=-20),
            mix(ada=-20, ben=-20, cleo=-20),
            silence(WINDOW),
        )
        block = np.concatenate(parts)
        for expected, share in (
            ({"ada", "ben"}, 0.25),
            ({"ada"}, 0.25),
            (set(), 0.25),
            ({"cleo"}, 0),
        ):
            assert exactly_heard_share(block, TONES_HZ, -20, WINDOW, expected) == share

    def test_of_nothing_it_is_none(self):
        assert exactly_heard_share(silence(10), TONES_HZ, -20, WINDOW, set()) == 0


class TestOverTime:
    def test_a_tone_that_ends_is_seen_to_end(self):
        block = np.concatenate([mix(SAMPLE_RATE, ada=-20), silence(SAMPLE_RATE)])
        times_s, levels_dbfs = tones_over_time(block, TONES_HZ, SAMPLE_RATE // 2)
        np.testing.assert_allclose(times_s, [0, 0.5, 1, 1.5])
        np.testing.assert_allclose(levels_dbfs["ada"], [-20, -20, -144, -144], atol=0.01)
        assert (levels_dbfs["ben"] < -100).all()

    def test_a_recording_too_short_has_no_points(self):
        times_s, levels_dbfs = tones_over_time(silence(10), TONES_HZ, SAMPLE_RATE)
        assert len(times_s) == 0
        assert {len(levels) for levels in levels_dbfs.values()} == {0}
