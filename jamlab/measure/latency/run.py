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
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from jamlab.audio.card import VirtualCard
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

_GAP_S = 0.1  # between measurements, for packets under way to arrive
_ECHO_S = 0.5  # the echo continues for this long after the last click that counts


@dataclass(frozen=True)
class Stretch:
    """A stretch of a session in which one kind of path is measured."""

    measurement: str
    """`ONE_WAY` or `ROUND_TRIP`."""
    echoing: str
    """Name of the participant that echoes what it hears; empty one way."""
    duration_s: float
    """Time in which the clicks count."""
    tail_s: float
    """Time after that in which their sound may still be under way."""

    @property
    def lasts_s(self) -> float:
        """Time from the beginning of the stretch to its end."""
        return _GAP_S + self.duration_s + self.tail_s

    def span(self, card: VirtualCard, begun_s: float) -> tuple[int, int]:
        """Return a card's frames between which clicks count, for a stretch begun at a time."""
        start = int(card.frame_at(begun_s)) + int(_GAP_S * SAMPLE_RATE)
        return start, start + int(self.duration_s * SAMPLE_RATE)

    def last_frame(self, span: tuple[int, int]) -> int:
        """Return the last frame of the stretch, for the frames in which clicks count."""
        return span[1] + int(self.tail_s * SAMPLE_RATE)

    def pairs(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Return the measured pairs of emitter and peer, among participants with these names."""
        return [(a, b) for a in names for b in names if a != b and self.echoing in ("", b)]

    def row(self, session: int) -> dict[str, Any]:
        """Return the columns that name the stretch in the table of streams."""
        return {"session": session, "measurement": self.measurement, "echoing": self.echoing}


def stretches(plan: LatencyPlan) -> list[Stretch]:
    """Return the stretches of each session of a plan, one way first."""
    alone = plan.round_trip_s == 0
    one_way_s, round_trip_s = plan.duration_s / plan.sessions, plan.round_trip_s / plan.sessions
    first = Stretch(ONE_WAY, "", one_way_s, MAX_LATENCY_S if alone else _GAP_S)
    echoes = [Stretch(ROUND_TRIP, name, round_trip_s, _ECHO_S) for name in plan.names]
    return [first] if alone else [first, *echoes]


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
        | difference(counted[a, b], before[a, b])
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
