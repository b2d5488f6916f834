"""A run of the rig: sessions in which all programs start anew, are linked, heard and measured.

A session that fails does not lose those before it: the record has them, and a remark.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio_graph.graph import AudioGraph, audio_graph
from jamlab.audio_graph.plan import AudioGraphError
from jamlab.audio_graph.tape import Punctuality, Recording
from jamlab.measure.latency.graph_clicks import (
    MouthToEar,
    OwnDelay,
    Pair,
    click_latencies,
    measure_own_delay,
)
from jamlab.measure.latency.worst_path import CLICKS
from jamlab.measure.processes import Progress
from jamlab.measure.provenance import provenance
from jamlab.measure.rig.joining import joined
from jamlab.measure.rig.plan import MAX_LATENCY_S, RigPlan
from jamlab.measure.rig.processors import busy_share, ticks
from jamlab.measure.rig.programs import RigError
from jamlab.measure.rig.record import MOST_BUSY, PUNCTUALITY, RigRecord

_MARGIN_S = 0.5  # the clicks last beyond the measurement

FAULTS = (AudioGraphError, RigError)
"""Errors that end a session."""


@dataclass
class _Run:
    """The rows and the remarks of all sessions so far."""

    own: OwnDelay
    clicks: list[tuple[Any, ...]] = field(default_factory=list)
    punctuality: list[tuple[Any, ...]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def note(
        self,
        session: int,
        found: Mapping[Pair, Sequence[tuple[Any, ...]]],
        seen: Punctuality,
        busy: float,
    ) -> None:
        """Keep the clicks of a session, how punctual the graph was and how busy the machine."""
        self.clicks += [(session, *pair, *row) for pair, rows in found.items() for row in rows]
        counts = seen.cycles, seen.missed_cycles, seen.late_cycles, seen.xruns
        self.punctuality.append((session, *counts, 1000 * seen.worst_lateness_s, busy))
        if seen.disturbed:
            self.remarks.append(
                f"the machine did not keep the audio graph's time in session {session + 1}: {seen}"
            )
        if busy > MOST_BUSY:
            self.remarks.append(
                f"the machine's processors were {busy:.0%} busy in session {session + 1}"
            )


async def measure_rig(
    plan: RigPlan,
    progress: Progress = lambda *_: None,
    *,
    keep: Callable[[RigRecord], object] = lambda _: None,
) -> RigRecord:
    """Measure the latency from mouth to ear of the programs of a plan.

    `keep` is given the record so far, with a remark that the run was ended, after each session but
    the last. Raises `AudioGraphError` where there can be no audio graph, and `RigError` when the
    programs of the first session cannot be measured. When a later session fails, the record has
    those before it.
    """
    async with audio_graph(plan.players, plan.period_frames) as graph:
        progress(0.0, "the rig's own delay")
        run = _Run(await measure_own_delay(graph))
        for session in range(plan.sessions):
            progress(session / plan.sessions, f"{plan.name}: session {session + 1}")
            try:
                await _session(plan, graph, session, run)
            except FAULTS as error:
                if not run.clicks:
                    raise
                run.remarks.append(f"session {session + 1} failed, and the run ended: {error}")
                break
            if (done := session + 1) < plan.sessions:
                unfinished = f"the run was ended after {done} of {plan.sessions} sessions"
                keep(_record(plan, run, unfinished))
    return _record(plan, run)


async def _session(plan: RigPlan, graph: AudioGraph, session: int, run: _Run) -> None:
    metronomes = plan.metronomes()
    seconds = plan.settle_s + plan.session_s + MAX_LATENCY_S + _MARGIN_S
    async with joined(plan, graph) as programs:
        before = ticks()
        recording = await programs.unless_ended(graph.record(metronomes, seconds))
        busy = busy_share(before, ticks())
    found = await asyncio.to_thread(read_rows, plan, recording, metronomes, run.own.delay_s)
    if not all(found.values()):
        raise RigError("the audio graph carried no clicks at all: the machine is too busy")
    run.note(session, found, recording.punctuality, busy)


def read_rows(
    plan: RigPlan, recording: Recording, metronomes: Mapping[str, Metronome], own_delay_s: float
) -> dict[Pair, list[tuple[Any, ...]]]:
    """Return the rows of the clicks that were emitted after the programs had settled."""
    found = click_latencies(
        recording, metronomes, own_delay_s=own_delay_s, max_latency_s=MAX_LATENCY_S
    )
    rows = {pair: [_row(plan, each) for each in readings] for pair, readings in found.items()}
    return {
        pair: [row for row in its if 0 <= row[1] < plan.session_s] for pair, its in rows.items()
    }


def _row(plan: RigPlan, reading: MouthToEar) -> tuple[int, float, float, float]:
    emitted_s = reading.spoken_frame / SAMPLE_RATE - plan.settle_s
    return reading.click, emitted_s, 1000 * reading.delay_s, reading.confidence


def _record(plan: RigPlan, run: _Run, *further: str) -> RigRecord:
    """Return the record so far; `further` has remarks on the run."""
    return RigRecord(
        pd.DataFrame(run.punctuality, columns=list(PUNCTUALITY)).astype(PUNCTUALITY),
        pd.DataFrame(run.clicks, columns=list(CLICKS)).astype(CLICKS),
        provenance(
            plan.to_dict(),
            error_ms=1000 * run.own.spread_s,
            own_delay_ms=1000 * run.own.delay_s,
            remarks=[*run.remarks, *further],
        ),
    )
