"""The qualities against RFC 6716's tables and the packet budget, by brute force."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.quality import (
    FRAME_LENGTHS,
    HIGH_QUALITY,
    LOOKAHEAD_FRAMES,
    LOW_LATENCY,
    PACKETS_PER_SECOND,
    QUALITIES,
    Quality,
    UnsupportedQualityError,
    quality_named,
)

LENGTHS = st.sampled_from(FRAME_LENGTHS)


def test_frame_lengths_are_those_of_the_rfc():
    milliseconds = [frames / 48 for frames in FRAME_LENGTHS]
    assert milliseconds == [2.5, 5, 10, 20, 40, 60]  # RFC 6716 §2.1.4


def test_the_two_on_offer():
    assert (LOW_LATENCY.bitrate_bps, LOW_LATENCY.frame_frames) == (128_000, 120)
    assert (HIGH_QUALITY.bitrate_bps, HIGH_QUALITY.frame_frames) == (256_000, 480)
    assert {LOW_LATENCY.name: LOW_LATENCY, HIGH_QUALITY.name: HIGH_QUALITY} == QUALITIES


@pytest.mark.parametrize(("quality", "milliseconds"), [(LOW_LATENCY, 2.5), (HIGH_QUALITY, 6.5)])
def test_lookahead(quality, milliseconds):
    assert quality.lookahead_frames == 48 * milliseconds
    assert quality.lookahead_s == pytest.approx(milliseconds / 1000)


class TestFrameFor:
    @given(LENGTHS, st.integers(0, 100))
    def test_is_the_shortest_within_the_budget(self, frame_frames, peers):
        quality = Quality("any", 64_000, frame_frames, "audio")
        allowed = [
            frames
            for frames in FRAME_LENGTHS
            if frames >= frame_frames and peers * (48_000 / frames) <= PACKETS_PER_SECOND
        ]
        assert quality.frame_for(peers) == min(allowed, default=max(FRAME_LENGTHS))

    @pytest.mark.parametrize(
        ("quality", "milliseconds"),
        [
            (LOW_LATENCY, [2.5, 2.5, 5, 5, 10, 10, 10, 20]),
            (HIGH_QUALITY, [10, 10, 10, 10, 10, 10, 10, 20]),
        ],
    )
    def test_in_numbers(self, quality, milliseconds):
        assert [quality.frame_for(peers) / 48 for peers in range(8)] == milliseconds

    @given(LENGTHS, st.integers(0, 100))
    def test_never_shrinks_as_the_mesh_grows(self, frame_frames, peers):
        quality = Quality("any", 64_000, frame_frames, "audio")
        assert quality.frame_for(peers + 1) >= quality.frame_for(peers) >= frame_frames


class TestErrors:
    @pytest.mark.parametrize(
        ("bitrate", "frames", "application", "sentence"),
        [
            (128_000, 100, "audio", "Opus frame is one of .* frames, not 100"),
            (5_999, 480, "audio", "bitrate of Opus is 6000 to 510000 bit/s, not 5999"),
            (510_001, 480, "audio", "bitrate of Opus is 6000 to 510000 bit/s, not 510001"),
            (128_000, 480, "voip", "application is one of .*, not 'voip'"),
        ],
    )
    def test_one_sentence(self, bitrate, frames, application, sentence):
        with pytest.raises(UnsupportedQualityError, match=sentence) as caught:
            Quality("mine", bitrate, frames, application)
        assert str(caught.value).startswith("quality 'mine': ")
        assert "\n" not in str(caught.value)

    @given(LENGTHS, st.integers(6_000, 510_000), st.sampled_from(sorted(LOOKAHEAD_FRAMES)))
    def test_none_within_the_limits(self, frames, bitrate, application):
        assert Quality("any", bitrate, frames, application).bitrate_bps == bitrate


class TestByName:
    @pytest.mark.parametrize(
        "name", ["low latency", "low-latency", "low_latency", "Low-Latency", "  LOW LATENCY\n"]
    )
    def test_spellings(self, name):
        assert quality_named(name) is LOW_LATENCY

    @pytest.mark.parametrize("name", ["", "lowlatency", "high", "low  latency"])
    def test_unknown(self, name):
        with pytest.raises(UnsupportedQualityError) as caught:
            quality_named(name)
        expected = f"unknown quality {name!r}: choose one of 'low-latency', 'high-quality'"
        assert str(caught.value) == expected

    @pytest.mark.parametrize("quality", list(QUALITIES.values()), ids=lambda quality: quality.name)
    def test_what_the_error_offers_is_known(self, quality):
        assert quality_named(quality.name.replace(" ", "-")) is quality
