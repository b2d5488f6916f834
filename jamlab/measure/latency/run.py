"""A latency run: every path of a mesh, measured by clicks that are found in the played sound.

One way: all participants click at once, each with a voice of its own, and each card's playback is
searched for the clicks of all others. Sender and receiver share this process's clock, so a latency
is the difference of two readings of one clock. Round trip: one participant at a time echoes what it
hears, and the others look for their own clicks; only the emitter's clock is read.

Latencies are counted in the cards' own frames (`jamlab.audio.card`), from the frame at which a
sample is captured to the frame at which it is played. The search comes after the run, since it
would make the cards miss their deadlines.

A run has several sessions, each with new connections, buffers and cards, because the delay hardly
changes within a session but does from one session to the next.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from jamlab.measure.latency.click_paths import Path, click_table, waveform_table
from jamlab.measure.latency.participants import (
    Participant,
    Rig,
    Where,
    here,
    increase,
    stream_times,
    wait_until,
)
from jamlab.measure.latency.plan import ONE_WAY as ONE_WAY
from jamlab.measure.latency.plan import ROUND_TRIP as ROUND_TRIP
from jamlab.measure.latency.plan import LatencyPlan, Stretch, stretches
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.loop_lag import LagProbe
from jamlab.measure.processes import Progress
from jamlab.measure.provenance import provenance
from jamlab.process.pauses import collector_paused


@dataclass(frozen=True)
class _Session:
    """One session: its number and its mesh."""

    number: int
    rig: Rig


@dataclass
class _Run:
    """The paths to search and the stream counters of a run."""

    paths: list[Path] = field(default_factory=list)
    streams: list[dict[str, Any]] = field(default_factory=list)


async def measure_latency(
    plan: LatencyPlan,
    progress: Progress = lambda *_: None,
    where: Where = here,
    rng: np.random.Generator | None = None,
) -> LatencyRecord:
    """Connect a mesh in several sessions and measure every path of it.

    Participants run on this machine by default, with real sockets. The generator draws the phases
    of the cards. Raises TimeoutError when the mesh does not connect.
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
    readings = []
    for path in run.paths:
        progress(1.0, "searching for clicks")
        readings.append((path, path.readings()))
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
    """Take all measurements of a session, while the probe reads the loop's lag."""
    everybody = session.rig.participants
    for participant in everybody:
        participant.click()
    await asyncio.sleep(plan.settle_s)
    with probe:
        for stretch in stretches(plan):
            await _measure(session, run, stretch)


async def _measure(session: _Session, run: _Run, stretch: Stretch) -> None:
    """Let the clicks run for a while; keep the paths to search and the stream counters."""
    rig = session.rig
    named = {participant.name: participant for participant in rig.participants}
    if stretch.echoing:
        named[stretch.echoing].echo()
    before = rig.stream_counters(beginning=True)
    begun_s = asyncio.get_running_loop().time()
    spans = {p.name: stretch.span(p.card, begun_s) for p in rig.participants}
    for participant in rig.participants:
        await wait_until(participant.card, stretch.last_frame(spans[participant.name]))
    counted = rig.stream_counters()
    run.streams += [
        stretch.row(session.number)
        | {"sender": a, "receiver": b}
        | increase(counted[a, b], before[a, b])
        for a, b in counted
    ]
    for a, b in stretch.pairs([*named]):
        run.paths.append(_path(session.number, stretch, named[a], named[b], spans[a]))
    if stretch.echoing:
        named[stretch.echoing].click()


def _path(
    session: int, stretch: Stretch, a: Participant, b: Participant, span: tuple[int, int]
) -> Path:
    """Return the path from a's microphone to b's loudspeaker, or back to a's own."""
    return Path(
        stretch.measurement,
        emitter=a,
        listener=a if stretch.echoing else b,
        peer=b.name,
        start=span[0],
        stop=span[1],
        times=None if stretch.echoing else stream_times(a, b),
        session=session,
    )
