"""Tests of jamlab.measure.sound_quality.plan."""

import pytest

from jamlab.measure.latency.plan import PlanError
from jamlab.measure.sound_quality.plan import CABLE, SoundQualityPlan, Task, access_link
from jamlab.media.quality import FRAME_LENGTHS, QUALITIES
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.profile import UnknownProfileError, profile_named


def test_every_encoding_is_measured_over_every_network():
    tasks = list(SoundQualityPlan((CABLE, "4G"), sessions=3).tasks())
    assert len(tasks) == len(set(tasks)) == 2 * len(QUALITIES) * len(FRAME_LENGTHS) * 3


def test_an_encoding_is_the_quality_with_another_frame():
    encoding = Task(CABLE, "high quality", 120, 0).encoding
    assert (encoding.bitrate_bps, encoding.frame_frames) == (256_000, 120)
    assert all(
        Task(CABLE, "low latency", frames, 0).encoding.frame_for(1) == frames
        for frames in FRAME_LENGTHS
    )


def test_a_cable_is_a_link_without_impairments():
    assert access_link(CABLE) == LinkConfig()
    assert access_link("4G") == profile_named("4G").access()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"networks": ()}, "networks is empty: name each once"),
        ({"networks": ("4G", "4G")}, "networks is 4G, 4G: name each once"),
        ({"duration_s": 0.5}, "duration_s is 0.5: choose 1 to 60"),
        ({"settle_s": 0.0}, "settle_s is 0: choose 1 to 30"),
        ({"sessions": 0}, "sessions is 0"),
        ({"block_frames": 8}, "block_frames is 8"),
    ],
)
def test_values_out_of_range_are_refused(options, said):
    with pytest.raises(PlanError, match=said):
        SoundQualityPlan(**options)


def test_an_unknown_network_is_refused_with_the_known_ones():
    with pytest.raises(UnknownProfileError, match="4G"):
        SoundQualityPlan(("moon",))
