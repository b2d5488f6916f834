"""Round-trip latency to a participant on another machine, by clicks, in a live session.

The far end plays what it hears into its microphone (``jamlab join --echo``), so a click returns to
its emitter and only the emitter's clock is read: nothing has to be synchronised. Only one
participant of a room may echo at a time; two would echo each other.

Losses at the far end are not known here. The concealment of the sound it sends back is counted, and
clicks lost in either direction are not heard.
"""

import asyncio
from dataclasses import asdict

import pandas as pd

from jamlab.audio.card import Recording, VirtualCard
from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.ice.configuration import HOST_ONLY, IceConfiguration
from jamlab.measure.latency.click_paths import Path, click_table, waveform_table
from jamlab.measure.latency.participants import Participant, difference, wait_until
from jamlab.measure.latency.plan import MAX_LATENCY_S, LatencyPlan, PlanError
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.run import ROUND_TRIP
from jamlab.measure.loop_lag import LagProbe
from jamlab.measure.provenance import provenance
from jamlab.media.quality import quality_named
from jamlab.mesh.session import JamSession, Signaling
from jamlab.networks.port_mapping.mapping import Mapper
from jamlab.process.pauses import collector_paused

SHORTEST_S, LONGEST_S = 3.0, 120.0
"""Longest measurement; this much of the played sound is kept for the search."""


def measuring_participant(
    room: str,
    name: str,
    signaling: Signaling,
    *,
    plan: LatencyPlan | None = None,
    ice: IceConfiguration = HOST_ONLY,
    keep_s: int = int(LONGEST_S + MAX_LATENCY_S) + 1,
    mapper: Mapper | None = None,
) -> Participant:
    """Return a participant with a virtual card that can measure; enter its session to take part.

    The plan's duration and number of peers are not used. `keep_s` of the played sound are kept for
    the search; by default enough for the longest round-trip measurement. `mapper` maps the
    session's ports.
    """
    plan = plan or LatencyPlan()
    recording = Recording(keep_s)
    card = VirtualCard(block_frames=plan.block_frames, recording=recording)
    session = JamSession(
        room,
        name,
        signaling=signaling,
        card=card,
        quality=quality_named(plan.quality),
        ice=ice,
        delay_bounds=plan.delay_bounds,
        equal_latency=plan.equal_latency,
        mapper=mapper,
    )
    return Participant(name, Metronome(plan.bpm), session, card, recording)


async def measure_round_trip(
    me: Participant, peer: str, duration_s: float = 10.0, settle_s: float = 2.0
) -> LatencyRecord:
    """Measure the round-trip latency to a peer that echoes.

    The clicks begin `settle_s` before the measurement and go on for `duration_s`. It runs on the
    caller's loop: whatever a notebook does meanwhile affects the figure, and shows in the record's
    loop lag. Raises `PlanError` when a parameter is out of its range, or we are muted;
    `UnknownPeerError` when there is no connection to the peer; and `BusyError` when our participant
    is measuring already.
    """
    me.check_audible()
    me.session.service.connection_state(peer)
    if not SHORTEST_S <= duration_s <= LONGEST_S:
        raise PlanError(f"duration_s is {duration_s:g}: choose {SHORTEST_S:g} to {LONGEST_S:g}")
    parameters = _parameters(me, duration_s, settle_s)
    with me.playing(me.metronome.block):
        await asyncio.sleep(settle_s)
        with collector_paused(), LagProbe() as probe:
            path, stream = await _measure(me, peer, duration_s)
            lag = probe.lag()
    readings = [(path, path.readings())]
    return LatencyRecord(
        click_table(readings),
        pd.DataFrame([stream]),
        waveform_table(readings),
        provenance(parameters, loop_lag=lag.to_dict()),
    )


async def _measure(me: Participant, peer: str, duration_s: float) -> tuple[Path, dict[str, object]]:
    start = int(me.card.frame_at(asyncio.get_running_loop().time()))
    stop = start + int(duration_s * SAMPLE_RATE)
    before = me.counters(peer, beginning=True)
    await wait_until(me.card, stop + int(MAX_LATENCY_S * SAMPLE_RATE))
    gained = difference(me.counters(peer), before)
    path = Path(ROUND_TRIP, emitter=me, listener=me, peer=peer, start=start, stop=stop, times=None)
    row = {"session": 0, "measurement": ROUND_TRIP, "echoing": peer}
    return path, row | {"sender": peer, "receiver": me.name} | gained


def _parameters(me: Participant, duration_s: float, settle_s: float) -> dict[str, object]:
    """Return the parameters for the record, as far as the participant has a plan."""
    plan = LatencyPlan(
        peers=max(2, len(me.session.service.peers) + 1),
        quality=me.session.service.quality.name,
        round_trip_s=duration_s,
        settle_s=settle_s,
        bpm=me.metronome.bpm,
        block_frames=me.card.block_frames,
        sessions=1,
    )
    return asdict(plan)
