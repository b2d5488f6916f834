"""Latency of every path of a mesh, by clicks that are emitted, played and found again.

One way: everybody clicks at once, each with a voice of its own, and what every card played is
searched for everybody's clicks. Sender and receiver share this process' clock, so a figure is the
difference of two readings of one clock. Round trip: one participant at a time echoes what it hears
and the others look for their own clicks; the emitter's clock alone is read.

Everything ends on the cards' own frames (`jamlab.audio.card`): a sample counts from the frame at
which it was captured to the frame at which it is played. The search is made when the run is over,
for it would keep the cards from their deadlines.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import pandas as pd

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.loop import LagProbe, collector_paused
from jamlab.measure.plan import MAX_LATENCY_S, LatencyPlan
from jamlab.measure.reading import Path, click_table, waveform_table
from jamlab.measure.record import LatencyRecord, provenance
from jamlab.measure.rig import (
    Participant,
    Rig,
    Where,
    difference,
    here,
    stream_times,
    wait_until,
)
from jamlab.measure.workers import Progress

ONE_WAY, ROUND_TRIP = "one way", "round trip"

_GAP_FRAMES = SAMPLE_RATE // 4  # between measurements: what was under way may arrive


@dataclass(frozen=True)
class _Run:
    """What a run left behind, to be searched."""

    paths: list[Path]
    streams: list[dict[str, Any]]
    lag: dict[str, float]


async def measure_latency(
    plan: LatencyPlan, progress: Progress = lambda *_: None, where: Where = here
) -> LatencyRecord:
    """Run a mesh and measure every path of it.

    Parameters
    ----------
    plan : LatencyPlan
        What to do.
    progress : callable
        Told how far it is, several times a second.
    where : callable
        Makes the context each participant runs in; this machine, with real sockets, by default.

    Raises
    ------
    TimeoutError
        When the mesh does not connect.
    """
    progress(0.0, "connecting")
    with collector_paused():
        async with Rig.build(plan, where) as rig:
            reporter = asyncio.create_task(_report_progress(plan.total_s, progress))
            try:
                run = await _run(plan, rig)
            finally:
                reporter.cancel()
    progress(1.0, "searching for clicks")
    readings = [(path, path.readings()) for path in run.paths]
    return LatencyRecord(
        click_table(readings),
        pd.DataFrame(run.streams),
        waveform_table(readings),
        provenance(plan.to_dict(), loop_lag=run.lag),
    )


async def _report_progress(total_s: float, progress: Progress) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while True:
        await asyncio.sleep(0.25)
        progress(min((loop.time() - began_s) / total_s, 1.0), "measuring")


async def _run(plan: LatencyPlan, rig: Rig) -> _Run:
    everybody = rig.participants
    for participant in everybody:
        participant.click()
    await asyncio.sleep(plan.settle_s)
    with LagProbe() as probe:
        paths, streams = await _measure(rig, ONE_WAY, rig.pairs, plan.duration_s)
        for echoing in everybody:
            echoing.echo()
            pairs = [(emitter, echoing) for emitter in everybody if emitter is not echoing]
            more_paths, more_streams = await _measure(rig, ROUND_TRIP, pairs, plan.round_trip_s)
            echoing.click()
            paths += more_paths
            streams += more_streams
        return _Run(paths, streams, probe.lag().to_dict())


async def _measure(
    rig: Rig, measurement: str, pairs: list[tuple[Participant, Participant]], duration_s: float
) -> tuple[list[Path], list[dict[str, Any]]]:
    """Let clicks run for a while; note on which paths to look for them, and what streams lost."""
    before = rig.stream_counters()
    spans = {p.name: _span(p, duration_s) for p in rig.participants}
    for participant in rig.participants:
        last = spans[participant.name][1] + int(MAX_LATENCY_S * SAMPLE_RATE)
        await wait_until(participant.card, last)
    counted = rig.stream_counters()
    streams = [
        {"measurement": measurement, "sender": a, "receiver": b}
        | difference(counted[a, b], before[a, b])
        for a, b in counted
    ]
    return [_path(measurement, a, b, *spans[a.name]) for a, b in pairs], streams


def _span(participant: Participant, duration_s: float) -> tuple[int, int]:
    """Return the participant's frames between which its clicks count, from a moment hence."""
    now_s = asyncio.get_running_loop().time()
    start = int(participant.card.frame_at(now_s)) + _GAP_FRAMES
    return start, start + int(duration_s * SAMPLE_RATE)


def _path(measurement: str, a: Participant, b: Participant, start: int, stop: int) -> Path:
    """Return the path from a's microphone to b's loudspeaker, or back to a's own."""
    one_way = measurement == ONE_WAY
    return Path(
        measurement,
        emitter=a,
        listener=b if one_way else a,
        peer=b.name,
        start=start,
        stop=stop,
        times=stream_times(a, b) if one_way else None,
    )
