"""Parts that two participants of one process play: what both ends know is read at either."""

import asyncio
from contextlib import AsyncExitStack

import numpy as np
import pytest

from jamlab.measure.latency.click_paths import Path, click_table
from jamlab.measure.latency.participants import CONNECT_TIMEOUT_S, rig_participant
from jamlab.measure.latency.plan import ONE_WAY, ROUND_TRIP, LatencyPlan, stretches
from jamlab.measure.latency.stages import STAGES
from jamlab.measure.process_mesh.emission import Emission
from jamlab.measure.process_mesh.part import Part
from jamlab.measure.process_mesh.search import paths_of
from jamlab.process.precise_loop import run_precisely
from jamlab.signaling.memory import MemoryChannel

PLAN = LatencyPlan(peers=2, duration_s=1.0, round_trip_s=1.0, settle_s=1.0, sessions=1)


async def play():
    """Play a session in one process; return the parts, and a path with both ends at hand."""
    room, clicks = MemoryChannel(), PLAN.metronomes()
    people = [rig_participant(name, clicks[name], lambda _: room, PLAN) for name in PLAN.names]
    parts = [Part(me, PLAN, 0) for me in people]
    async with AsyncExitStack() as stack:
        for me in people:
            await stack.enter_async_context(me.session)
            me.click()
        for me in people:
            await me.session.wait_connected(CONNECT_TIMEOUT_S)
        begin_s = asyncio.get_running_loop().time()
        await asyncio.gather(*(part.play(begin_s) for part in parts))
        a, b = people
        span = parts[0].spans[0]
        return parts, Path(ONE_WAY, a, b, b.name, *span, None, 0)


@pytest.fixture(scope="module")
def played():
    return run_precisely(play())


@pytest.mark.slow
def test_a_path_read_from_an_emission_is_that_between_participants(played, tmp_path):
    (sender, listener), direct = played
    sender.emission.save(tmp_path, 0)
    emissions = {"player 1": Emission.load(tmp_path, 0, "player 1")}
    assert emissions["player 1"] == sender.emission
    path = next(each for each in paths_of(listener, emissions) if each.measurement == ONE_WAY)
    found, wanted = (click_table([(each, each.readings())]) for each in (path, direct))
    assert len(found) > 5
    heard = list(wanted.columns[: wanted.columns.get_loc("confidence") + 1])
    assert found[heard].equals(wanted[heard])
    known = found.dropna(subset=["latency_ms", "network_ms"])
    explained = known[[f"{stage}_ms" for stage in STAGES]].sum(axis=1)
    assert known.empty or np.median(np.abs(known["latency_ms"] - explained)) < 0.05


@pytest.mark.slow
def test_each_path_ends_at_the_listeners_loudspeaker(played):
    (sender, listener), _ = played
    told = [
        (path.measurement, path.emitter.name, path.listener.name, path.peer)
        for path in paths_of(listener, {"player 1": sender.emission})
    ]
    assert told == [
        (ONE_WAY, "player 1", "player 2", "player 2"),
        (ROUND_TRIP, "player 2", "player 2", "player 1"),
    ]


@pytest.mark.slow
def test_spans_of_two_cards_begin_at_the_same_times(played):
    (one, other), _ = played
    for here, there in zip(one.spans, other.spans, strict=True):
        began_s = one.me.card.time_of(here[0])
        assert other.me.card.time_of(there[0]) == pytest.approx(began_s, abs=1 / 48_000)
        assert here[1] - here[0] == there[1] - there[0] == 48_000


@pytest.mark.slow
def test_a_row_is_counted_for_each_peer_and_stretch(played):
    (one, _), _ = played
    assert [(row["measurement"], row["echoing"]) for row in one.streams] == [
        (stretch.measurement, stretch.echoing) for stretch in stretches(PLAN)
    ]
    assert all(row["sender"] == "player 2" for row in one.streams)
    assert all(row["card_blocks"] * 64 >= 48_000 for row in one.streams)
