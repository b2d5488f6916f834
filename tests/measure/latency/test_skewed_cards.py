"""A whole session between cards that run apart, on the simulated internet, against its own clicks.

Both cards' times are known exactly, so a click's latency is when it sounds less when it was
captured, whatever the cards count.
"""

import asyncio

import numpy as np
import pytest

from jamlab.audio.card import VirtualCard
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.across_networks.simulated import topology
from jamlab.measure.latency import participants
from jamlab.measure.latency.click_paths import Path
from jamlab.measure.latency.participants import Rig, stream_times
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.run import ONE_WAY
from jamlab.networks.model.profile import profile_named
from jamlab.networks.model.topology import host_name
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world

pytestmark = pytest.mark.slow

PLAN = LatencyPlan(peers=2, quality="high-quality", block_frames=128, bpm=240.0)
SETTLED_S, HEARD_S, LASTS_S = 15, 5, 60
SKEWS = (100.0, -100.0)  # 200 ppm between them, so either way is there
LOST = ("concealed_frames", "late", "silent_frames", "skipped_frames", "card_underruns")


def skewed_cards(skews):
    remaining = iter(skews)

    def card(**options):
        return VirtualCard(skew_ppm=next(remaining), **options)

    return card


def path_from_now(emitter, listener):
    start = int(emitter.card.frame_at(asyncio.get_running_loop().time()))
    return Path(
        ONE_WAY, emitter, listener, listener.name, start, start + HEARD_S * SAMPLE_RATE, None
    )


def latencies_and_stages(path):
    """Latency of every click, and what the stages make of it; in ms."""
    times = stream_times(path.emitter, path.listener)
    rows = []
    for reading in path.readings():
        assert reading.heard
        heard = round(path.heard_from) + reading.onset - path.start + reading.delay
        latency_s = path.listener.card.time_of(heard) - path.emitter.card.time_of(reading.onset)
        stages = times.at(reading.onset)
        rows.append((latency_s * 1000, np.nan if stages is None else stages.total_s * 1000))
    return np.array(rows)


async def session(profile):
    internet = Internet(topology(profile_named(profile), PLAN.names))
    async with Rig.build(PLAN, lambda name: internet.host(host_name(name))) as built:
        for participant in built.participants:
            participant.click()
        await asyncio.sleep(SETTLED_S)
        early = [path_from_now(*pair) for pair in built.pairs]
        before = built.stream_counters()
        await asyncio.sleep(LASTS_S)
        late = [path_from_now(*pair) for pair in built.pairs]
        await asyncio.sleep(HEARD_S + 1)
        lost = {
            pair: sum(after[name] - before[pair][name] for name in LOST)
            for pair, after in built.stream_counters().items()
        }
        figures = {p.name: p.session.figures[-1] for p in built.participants}
        found = {
            (a.emitter.name, a.listener.name): tuple(map(latencies_and_stages, (a, b)))
            for a, b in zip(early, late, strict=True)
        }
        return found, lost, figures


@pytest.fixture(scope="module")
def heard():
    with pytest.MonkeyPatch.context() as patch, simulated_world():
        patch.setattr(participants, "VirtualCard", skewed_cards(SKEWS))
        return run_simulated(session("LAN"), seed=1)


def test_the_latency_stays(heard):
    """Without correction it would have moved by 12 ms."""
    for early, late in heard[0].values():
        moved_ms = np.median(late[:, 0]) - np.median(early[:, 0])
        assert abs(moved_ms) < 0.5


def test_either_way_is_as_long_but_for_the_cards_phases(heard):
    one, other = (np.median(late[:, 0]) for _, late in heard[0].values())
    assert abs(one - other) < 1000 * PLAN.block_frames / SAMPLE_RATE


def test_nothing_is_lost(heard):
    assert set(heard[1].values()) == {0}


def test_the_stages_explain_the_clicks(heard):
    """What the history says of the card's frames is true; it is rounded to frames of 0.02 ms."""
    for _, late in heard[0].values():
        assert np.isfinite(late[:, 1]).all()
        assert np.abs(late[:, 0] - late[:, 1]).max() < 0.05


def test_the_figures_show_the_drift_and_the_latency(heard):
    latencies = {pair[1]: np.median(late[:, 0]) for pair, (_, late) in heard[0].items()}
    for name, figures in heard[2].items():
        own = SKEWS[PLAN.names.index(name)]
        assert figures.drift_ppm == pytest.approx(-2 * own, abs=2)
        assert figures.one_way_s * 1000 == pytest.approx(latencies[name], abs=1.5)
