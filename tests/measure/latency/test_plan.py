import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.metronome import CLICK_FRAMES
from jamlab.measure.latency.plan import LatencyPlan, PlanError
from jamlab.measure.statistics import p95, values_needed
from jamlab.media.quality import UnsupportedQualityError


def test_the_default_is_the_products_default():
    plan = LatencyPlan()
    assert (plan.peers, plan.quality) == (2, "low latency")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("peers", 1),
        ("peers", 7),
        ("duration_s", 0.0),
        ("duration_s", math.inf),
        ("duration_s", math.nan),
        ("round_trip_s", -1.0),
        ("settle_s", 0.0),
        ("bpm", 0.0),
        ("block_frames", 0),
        ("sessions", 0),
        ("sessions", 51),
        ("max_concealed_percent", 0.0),
        ("max_concealed_percent", math.nan),
    ],
)
def test_out_of_range_names_parameter_value_and_range(parameter, value):
    with pytest.raises(PlanError, match=rf"^{parameter} is \S+: choose \S+ to \S+$"):
        LatencyPlan(**{parameter: value})


def test_unknown_quality_lists_the_known():
    with pytest.raises(UnsupportedQualityError, match="'low-latency', 'high-quality'"):
        LatencyPlan(quality="perfect")


@given(st.integers(2, 6), st.floats(30, 600))
def test_metronomes_are_apart_in_voice_and_time(peers, bpm):
    metronomes = LatencyPlan(peers=peers, bpm=bpm).metronomes()
    assert len(metronomes) == peers
    assert len({m.voice for m in metronomes.values()}) == peers
    onsets = sorted(m.onset(0) for m in metronomes.values())
    beat = 60 / bpm * 48_000
    gaps = [b - a for a, b in zip(onsets, [*onsets[1:], onsets[0] + beat], strict=True)]
    assert min(gaps) == pytest.approx(beat / peers, abs=1)


def test_a_pair_at_the_default_tempo_never_overlaps():
    onsets = [m.onset(0) for m in LatencyPlan().metronomes().values()]
    assert abs(onsets[1] - onsets[0]) > CLICK_FRAMES


@given(
    st.integers(2, 6),
    st.floats(50, 600),
    st.just(0.0) | st.floats(50, 600),
    st.floats(1, 60),
    st.integers(1, 50),
)
def test_total_is_what_the_run_waits_for(peers, duration_s, round_trip_s, settle_s, sessions):
    plan = LatencyPlan(peers, "high-quality", duration_s, round_trip_s, settle_s, sessions=sessions)
    clicking_s = duration_s + peers * round_trip_s
    assert plan.total_s == pytest.approx(sessions * settle_s + clicking_s)
    assert LatencyPlan(**plan.to_dict()) == plan


def test_a_session_is_long_enough_to_be_one():
    with pytest.raises(PlanError, match=r"^duration_s is 9: choose 10 to 600$"):
        LatencyPlan(duration_s=9.0, sessions=10)


def test_the_default_has_clicks_enough_for_one_not_to_be_heard():
    """In one run of 40 at most, fewer than two of 110 are beyond the 95th percentile."""
    plan = LatencyPlan()
    for seconds in (plan.duration_s, plan.round_trip_s):
        clicks = plan.sessions * int(seconds / plan.sessions * plan.bpm / 60)
        assert clicks >= values_needed(0.95)
        late_ms = [12.0 + 0.01 * (k % 7) for k in range(clicks - 1)] + [math.inf]
        sessions = np.repeat(np.arange(plan.sessions), clicks // plan.sessions)
        assert p95(late_ms, np.random.default_rng(1), sessions=sessions).high < 13


@pytest.mark.parametrize("frames", [64, 120, 128, 240, 256, 480])
def test_clicks_fall_into_every_phase_of_blocks_and_opus_frames(frames):
    """At 600 bpm a beat is ten frames of 10 ms, and all clicks of a session fall into one phase."""
    (metronome, *_) = LatencyPlan().metronomes().values()
    phases = np.array([metronome.onset(click) % frames for click in range(110)]) / frames
    found, _ = np.histogram(phases, 8, (0, 1))
    assert found.min() >= 4
