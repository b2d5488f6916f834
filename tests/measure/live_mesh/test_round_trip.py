"""Round trips to an echoing participant, compared with the delay of a simulated network."""

import pytest

from jamlab.audio.card import Recording, VirtualCard
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.plan import LatencyPlan, PlanError
from jamlab.measure.latency.run import ROUND_TRIP
from jamlab.measure.latency.verdicts import floor_ms, latency_verdict, paths_table
from jamlab.measure.live_mesh.round_trip import LONGEST_S, measure_round_trip, measuring_participant
from jamlab.measure.verdict import Outcome
from jamlab.mesh.connection.errors import UnknownPeerError
from jamlab.mesh.session import JamSession
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import HostConfig, Topology
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.signaling.memory import MemoryChannel

PLAN = LatencyPlan()
BLOCK_S = PLAN.block_frames / SAMPLE_RATE


def echoing(room):
    """A participant that plays what it hears into its microphone."""
    recording = Recording(2)
    card = VirtualCard(recording.block, recording=recording)
    return JamSession("room", "ben", signaling=lambda _: room, card=card)


def measured(delay_s, duration_s=3.0):
    """Measure the round trip over lines that delay so much one way, together."""

    async def main():
        line = LinkConfig(delay_s=delay_s / 2)
        net = Internet(Topology((HostConfig("ada", line), HostConfig("ben", line))))
        room = MemoryChannel()
        ada, ben = measuring_participant("room", "ada", lambda _: room), echoing(room)
        source = ada.card.source
        with net.host("ben"):
            await ben.__aenter__()
        with net.host("ada"):
            await ada.session.__aenter__()
        try:
            await ada.session.wait_connected(10)
            record = await measure_round_trip(ada, "ben", duration_s)
            assert ada.card.source is source
            return record
        finally:
            await ada.session.leave()
            await ben.leave()

    with simulated_world():
        return run_simulated(main(), seed=1)


@pytest.fixture(scope="module")
def near():
    return measured(0.010)


def test_a_click_comes_back_after_twice_the_delay_and_what_cards_and_codec_take(near):
    path = paths_table(near).iloc[0]
    assert (path["measurement"], path["sender"], path["receiver"]) == (ROUND_TRIP, "ada", "ben")
    assert path["heard_share"] == 1
    assert path["clicks"] == pytest.approx(3.0 * PLAN.bpm / 60, abs=1)
    assert path["median_ms"] >= 2 * 10 + floor_ms(near, ROUND_TRIP)
    assert path["median_ms"] <= 2 * 10 + floor_ms(near, ROUND_TRIP) + 8  # two playout buffers


@pytest.mark.slow
def test_more_delay_is_twice_as_much_more(near):
    """A delay longer by whole blocks finds the cards in the same phase.

    Sessions connect later, so the buffers' delays settle at other clicks.
    """
    far = measured(0.010 + 30 * BLOCK_S)
    near_ms, far_ms = (paths_table(record)["median_ms"][0] for record in (near, far))
    assert far_ms - near_ms == pytest.approx(60e3 * BLOCK_S, abs=0.5)


@pytest.mark.slow
def test_enough_clicks_have_a_verdict():
    record = measured(0.010, 10.0)
    verdict = latency_verdict(record, ROUND_TRIP, 100.0, "round-trip latency")
    assert verdict.verdict is Outcome.PASS
    assert record.provenance["parameters"]["round_trip_s"] == 10.0
    assert record.provenance["loop_lag"]["max_ms"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("duration_s", [1.0, LONGEST_S + 1])
def test_durations_out_of_range(duration_s):
    with pytest.raises(PlanError, match="_s is"):
        measured(0.001, duration_s)


async def test_nobody_of_that_name():
    room = MemoryChannel()
    ada = measuring_participant("room", "ada", lambda _: room)
    async with ada.session:
        with pytest.raises(UnknownPeerError, match="'ben'"):
            await measure_round_trip(ada, "ben")
