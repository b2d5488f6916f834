"""Latency of every path of a mesh, by clicks that are emitted, played and found again.

One way: everybody clicks at once, each with a voice of its own, and what every card played is
searched for everybody's clicks. Sender and receiver share this process' clock, so a figure is the
difference of two readings of one clock. Round trip: one participant at a time echoes what it hears
and the others look for their own clicks; the emitter's clock alone is read.

Everything ends on the cards' own frames (`jamlab.audio.card`): a sample counts from the frame at
which it was captured to the frame at which it is played. The search is made when the run is over,
for it would keep the cards from their deadlines.

All of it is done in several sessions, each with connections, buffers and cards of its own, for
within one session the delay hardly changes, and from one to the next it does.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.click_paths import Path, click_table, waveform_table
from jamlab.measure.latency.participants import (
    Participant,
    Rig,
    Where,
    difference,
    here,
    stream_times,
    wait_until,
)
from jamlab.measure.latency.plan import MAX_LATENCY_S, LatencyPlan
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.loop_lag import LagProbe
from jamlab.measure.processes import Progress
from jamlab.measure.provenance import provenance
from jamlab.process.pauses import collector_paused

ONE_WAY, ROUND_TRIP = "one way", "round trip"

_GAP_S = 0.1  # between measurements: what is under way arrives
_ECHO_S = 0.5  # so long goes an echo on after the last click that counts


@dataclass(frozen=True)
class _Session:
    """One session: its number, and who plays in it."""

    number: int
    rig: Rig


@dataclass
class _Run:
    """What a run left behind, to be searched."""

    paths: list[Path] = field(default_factory=list)
    streams: list[dict[str, Any]] = field(default_factory=list)


async def measure_latency(
    plan: LatencyPlan,
    progress: Progress = lambda *_: None,
    where: Where = here,
    rng: np.random.Generator | None = None,
) -> LatencyRecord:
    """Run a mesh several times and measure every path of it.

    Parameters
    ----------
    plan : LatencyPlan
        What to do.
    progress : callable
        Told how far it is, several times a second.
    where : callable
        Makes the context each participant runs in; this machine, with real sockets, by default.
    rng : numpy.random.Generator, optional
        Decides on the phases of the cards; a new one by default.

    Raises
    ------
    TimeoutError
        When the mesh does not connect.
    """
    run, probe = _Run(), LagProbe()
    rng = rng or np.random.default_rng()
    for number in range(plan.sessions):
        progress(number / plan.sessions, "connecting")
        with collector_paused():
            async with Rig.build(plan, where, rng) as rig:
                reporter = asyncio.create_task(_report_progress(plan, number, progress))
                try:
                    await _play(plan, _Session(number, rig), run, probe)
                finally:
                    reporter.cancel()
    progress(1.0, "searching for clicks")
    readings = [(path, path.readings()) for path in run.paths]
    return LatencyRecord(
        click_table(readings),
        pd.DataFrame(run.streams),
        waveform_table(readings),
        provenance(plan.to_dict(), loop_lag=probe.lag().to_dict()),
    )


async def _report_progress(plan: LatencyPlan, session: int, progress: Progress) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while True:
        await asyncio.sleep(0.25)
        within = min((loop.time() - began_s) * plan.sessions / plan.total_s, 1.0)
        progress((session + within) / plan.sessions, "measuring")


async def _play(plan: LatencyPlan, session: _Session, run: _Run, probe: LagProbe) -> None:
    """Measure all there is in a session; the probe reads the loop's lag meanwhile."""
    everybody = session.rig.participants
    for participant in everybody:
        participant.click()
    await asyncio.sleep(plan.settle_s)
    with probe:
        alone = plan.round_trip_s == 0
        tail_s = MAX_LATENCY_S if alone else _GAP_S
        await _measure(session, run, None, plan.duration_s / plan.sessions, tail_s)
        for echoing in () if alone else everybody:
            echoing.echo()
            seconds = plan.round_trip_s / plan.sessions
            await _measure(session, run, echoing, seconds, _ECHO_S)
            echoing.click()


async def _measure(
    session: _Session, run: _Run, echoing: Participant | None, duration_s: float, tail_s: float
) -> None:
    """Let clicks run for a while; note on which paths to look for them, and what streams lost."""
    rig, before = session.rig, session.rig.stream_counters()
    spans = {p.name: _span(p, duration_s) for p in rig.participants}
    for participant in rig.participants:
        last = spans[participant.name][1] + int(tail_s * SAMPLE_RATE)
        await wait_until(participant.card, last)
    counted = rig.stream_counters()
    told = {
        "session": session.number,
        "measurement": ROUND_TRIP if echoing else ONE_WAY,
        "echoing": echoing.name if echoing else "",
    }
    run.streams += [
        told | {"sender": a, "receiver": b} | difference(counted[a, b], before[a, b])
        for a, b in counted
    ]
    pairs = [(a, b) for a, b in rig.pairs if echoing in (None, b)]
    run.paths += [_path(session, echoing, a, b, spans[a.name]) for a, b in pairs]


def _span(participant: Participant, duration_s: float) -> tuple[int, int]:
    """Return the participant's frames between which its clicks count, from a moment hence."""
    now_s = asyncio.get_running_loop().time()
    start = int(participant.card.frame_at(now_s)) + int(_GAP_S * SAMPLE_RATE)
    return start, start + int(duration_s * SAMPLE_RATE)


def _path(
    session: _Session,
    echoing: Participant | None,
    a: Participant,
    b: Participant,
    span: tuple[int, int],
) -> Path:
    """Return the path from a's microphone to b's loudspeaker, or back to a's own."""
    return Path(
        ROUND_TRIP if echoing else ONE_WAY,
        emitter=a,
        listener=a if echoing else b,
        peer=b.name,
        start=span[0],
        stop=span[1],
        times=None if echoing else stream_times(a, b),
        session=session.number,
    )
