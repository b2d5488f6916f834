"""The physical floor, compared with runs in virtual time, free of computing and network time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.across_networks import simulated as across
from jamlab.measure.across_networks.simulated import measure_on
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.measure.latency.verdicts import aligned_blocks_ms, floor_ms
from jamlab.networks.model.profile import NetworkProfile
from tests.examples import examples

CLICK_ERROR_MS = 0.021
"""A frame: what a click is read to in noise."""
NOTHING = NetworkProfile("nothing", 0.0, 0.0, 0.0, 1.0, 1e12, 1e12, source="", assumed="")


def measured(seed, round_trip_s=0.0, **options):
    plan = LatencyPlan(duration_s=1.0, round_trip_s=round_trip_s, settle_s=1.0, sessions=1)
    plan = LatencyPlan(**plan.to_dict() | options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(across, "profile_named", lambda _name: NOTHING)
        return measure_on("nothing", plan, seed=seed)


@pytest.mark.slow
@examples(6)
@given(
    block_frames=st.sampled_from([16, 60, 64, 120, 128, 256, 480]),
    quality=st.sampled_from(["low latency", "high quality"]),
    peers=st.integers(2, 3),
    seed=st.integers(0, 1000),
)
def test_nothing_is_sooner(block_frames, quality, peers, seed):
    record = measured(seed, block_frames=block_frames, quality=quality, peers=peers)
    assert record.clicks["latency_ms"].notna().mean() > 0.9
    assert record.clicks["latency_ms"].min() >= floor_ms(record) - CLICK_ERROR_MS


@pytest.mark.slow
def test_a_round_trip_has_it_twice():
    record = measured(1, round_trip_s=1.0)
    back = record.clicks[record.clicks["measurement"] == ROUND_TRIP]
    assert back["latency_ms"].min() >= floor_ms(record, ROUND_TRIP) - CLICK_ERROR_MS


@pytest.mark.slow
def test_the_old_one_was_beaten():
    """With blocks of 480 frames, two of them were counted: 25 ms, and a packet needs no second."""
    records = [measured(seed, block_frames=480) for seed in range(4)]
    least_ms = min(record.clicks["latency_ms"].min() for record in records)
    assert least_ms < aligned_blocks_ms(records[0])
    assert least_ms >= floor_ms(records[0], ONE_WAY) - CLICK_ERROR_MS
