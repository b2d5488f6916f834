"""A run of browsers: sessions in which all players join the application and are measured.

A session that fails does not lose those before it: the record has them, and a remark.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.browsers.installed import BrowserError, installed
from jamlab.browsers.launch import ARGUMENTS, Setting, browsers
from jamlab.browsers.steps import Join, StepsError, no_steps, steps_in
from jamlab.measure.browser.click_paths import Mouth, latencies
from jamlab.measure.browser.clocks import ClockError
from jamlab.measure.browser.get_stats import STATISTICS, Stream, between
from jamlab.measure.browser.injected import InjectedAudio
from jamlab.measure.browser.instrument import script
from jamlab.measure.browser.levers import levers_named, page_settings
from jamlab.measure.browser.plan import BrowserPlan
from jamlab.measure.browser.players import Player, PlayerError, enter, received, snapshots_of
from jamlab.measure.browser.record import CLICKS, BrowserRecord
from jamlab.measure.browser.sound import Audio, Sound
from jamlab.measure.latency.clicks import ClickReading
from jamlab.measure.latency.plan import MAX_LATENCY_S
from jamlab.measure.processes import Progress
from jamlab.measure.provenance import provenance

_MARGIN_S = 2.0  # the clicks begin before the recording, and last beyond it
_POLL_S = 1.0

FAULTS = (BrowserError, StepsError, PlayerError, ClockError)
"""Errors that end a session."""


@dataclass
class _Run:
    """The rows and the observations of all sessions so far."""

    clicks: list[tuple[Any, ...]] = field(default_factory=list)
    statistics: list[dict[str, Any]] = field(default_factory=list)
    error_s: float = 0.0
    pauses_s: float = 0.0
    own_delay_s: float = 0.0
    remarks: list[str] = field(default_factory=list)
    asked: dict[str, list[Any]] = field(default_factory=dict)

    def remark(self, words: str) -> None:
        """Note an observation once."""
        if words not in self.remarks:
            self.remarks.append(words)


async def measure_browsers(
    plan: BrowserPlan, progress: Progress = lambda *_: None, folder: Path | None = None
) -> BrowserRecord:
    """Measure the latency between browsers that run an application.

    Pictures of pages that failed are kept in a given folder. Raises `BrowserError`, `StepsError`,
    `PlayerError` or `ClockError` when the first session fails. When a later one does, the record
    has the sessions before it.
    """
    levers = levers_named(plan.levers)
    arguments = [argument for lever in levers for argument in lever.arguments]
    setting = Setting(installed(plan.browser), plan.visible, arguments)
    join = steps_in(Path(plan.steps)) if plan.steps else no_steps
    run = _Run()
    for session in range(plan.sessions):
        progress(session / plan.sessions, f"session {session + 1} of {plan.sessions}")
        try:
            await _session(plan, setting, join, session, run, folder)
        except FAULTS as error:
            if not run.clicks:
                raise
            run.remark(f"session {session + 1} failed, and the run ended: {error}")
            break
    return _record(plan, setting, run)


async def _session(
    plan: BrowserPlan,
    setting: Setting,
    join: Join,
    session: int,
    run: _Run,
    folder: Path | None,
) -> None:
    audio = InjectedAudio(plan.metronomes())
    page = script(injected=audio.injected, levers=page_settings(levers_named(plan.levers)))
    async with browsers(setting, audio.environments, page) as started:
        players = await enter(plan, started, join, session, folder)
        await audio.play(players, plan.settle_s + plan.session_s + MAX_LATENCY_S + 2 * _MARGIN_S)
        for each in players:
            run.asked[each.name] = await each.asked()
        await asyncio.sleep(plan.settle_s)
        begin_s, sounds, rows = await _measured(plan, players, audio)
    run.statistics += [{"session": session, **row} for row in rows]
    _add_clicks(plan, run, session, begin_s, sounds)


async def _measured(
    plan: BrowserPlan, players: Sequence[Player], audio: Audio
) -> tuple[float, Mapping[str, Sound], list[dict[str, Any]]]:
    """Record the clicks, and read the statistics meanwhile."""
    polling = asyncio.create_task(_poll(players, plan.session_s))
    try:
        begin_s, sounds = await audio.record(plan.session_s + MAX_LATENCY_S)
        return begin_s, sounds, await polling
    finally:
        polling.cancel()


async def _poll(players: Sequence[Player], seconds: float) -> list[dict[str, Any]]:
    """Read the statistics once a second; return the rows of the table."""
    loop = asyncio.get_running_loop()
    begin_s, rows = loop.time(), list[dict[str, Any]]()
    before = received(await snapshots_of(players))
    while loop.time() < begin_s + seconds:
        await asyncio.sleep(_POLL_S)
        after = received(await snapshots_of(players))
        rows += _rows(before, after, loop.time() - begin_s)
        before = after
    return rows


def _rows(
    before: Mapping[tuple[str, str], Stream], after: Mapping[tuple[str, str], Stream], at_s: float
) -> list[dict[str, Any]]:
    return [
        {"sender": path[0], "receiver": path[1], "at_s": at_s, **between(before[path], stream)}
        for path, stream in after.items()
        if path in before
    ]


def _add_clicks(
    plan: BrowserPlan, run: _Run, session: int, begin_s: float, sounds: Mapping[str, Sound]
) -> None:
    """Search the recordings for every player's clicks."""
    for sender, emitted in sounds.items():
        clicks = emitted.mouth.clicks(begin_s, begin_s + plan.session_s)
        for receiver, heard in sounds.items():
            if receiver != sender:
                found = latencies(emitted.mouth, heard.ears, clicks)
                subject = (session, sender, receiver)
                run.clicks += [_row(subject, emitted.mouth, begin_s, each) for each in found]
    errors = sorted(sound.error_s for sound in sounds.values())
    run.error_s = max(run.error_s, sum(errors[-2:]))
    for sound in sounds.values():
        run.pauses_s = max(run.pauses_s, sound.pauses_s)
        run.own_delay_s = max(run.own_delay_s, sound.own_delay_s)
        for words in sound.remarks:
            run.remark(words)


def _row(
    subject: tuple[int, str, str], mouth: Mouth, begin_s: float, reading: ClickReading
) -> tuple[Any, ...]:
    return (
        *subject,
        reading.index,
        mouth.time_of(reading.onset) - begin_s,
        reading.delay / SAMPLE_RATE * 1000,
        reading.confidence,
    )


def _record(plan: BrowserPlan, setting: Setting, run: _Run) -> BrowserRecord:
    return BrowserRecord(
        pd.DataFrame(run.statistics, columns=list(STATISTICS)).astype(STATISTICS),
        pd.DataFrame(run.clicks, columns=list(CLICKS)).astype(CLICKS),
        provenance(
            plan.to_dict(),
            browser={
                "name": setting.browser.name,
                "version": setting.browser.version,
                "arguments": [*ARGUMENTS, *setting.arguments],
                "visible": setting.visible,
            },
            asked=run.asked,
            error_ms=1000 * run.error_s,
            own_delay_ms=1000 * run.own_delay_s,
            pauses_ms=1000 * run.pauses_s,
            remarks=run.remarks,
        ),
    )
