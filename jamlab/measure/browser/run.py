"""A run of browsers: sessions in which all players join the application and are measured.

A session that fails does not lose those before it: the record has them, and a remark.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from jamlab.audio_graph.plan import AudioGraphError
from jamlab.browsers.audio_contexts import context_remarks
from jamlab.browsers.engines import Setting
from jamlab.browsers.installed import Browser, BrowserError, installed
from jamlab.browsers.launch import browsers
from jamlab.browsers.steps import Join, StepsError, no_steps, steps_in
from jamlab.measure.browser.clocks import ClockError
from jamlab.measure.browser.get_stats import STATISTICS, Stream, between
from jamlab.measure.browser.injected import InjectedAudio
from jamlab.measure.browser.instrument import script
from jamlab.measure.browser.levers import levers_named, page_settings
from jamlab.measure.browser.plan import INJECTED, BrowserPlan
from jamlab.measure.browser.players import (
    Player,
    PlayerError,
    enter,
    received,
    routes,
    snapshots_of,
)
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.reference import served
from jamlab.measure.browser.sound import Audio, Heard, HeardClick, deaf_remarks
from jamlab.measure.browser.system import system_audio
from jamlab.measure.latency.plan import MAX_LATENCY_S
from jamlab.measure.latency.worst_path import CLICKS
from jamlab.measure.processes import Progress
from jamlab.measure.provenance import provenance
from jamlab.process.child import Within

_MARGIN_S = 2.0  # the clicks begin before the recording, and last beyond it
_POLL_S = 1.0
_DEVICES = ("--use-fake-device-for-media-stream",)
"""Devices for pages that look for some before they ask, and that ask for a camera as well."""

_NOT_BEGUN = Stream({}, {}, {})

FAULTS = (AudioGraphError, BrowserError, StepsError, PlayerError, ClockError)
"""Errors that end a session."""


@dataclass
class _Run:
    """The rows and the observations of all sessions so far."""

    clicks: list[tuple[Any, ...]] = field(default_factory=list)
    statistics: list[dict[str, Any]] = field(default_factory=list)
    error_s: float = 0.0
    pauses_s: float = 0.0
    own_delay_s: float = 0.0
    remarks: dict[str, list[int]] = field(default_factory=dict)
    """What was noticed, and the sessions in which it was."""
    asked: dict[str, list[Any]] = field(default_factory=dict)
    routes: dict[str, dict[str, str]] = field(default_factory=dict)
    contexts: dict[str, int] = field(default_factory=dict)

    def note(self, session: int, heard: Heard) -> None:
        """Keep the clicks of a session, and what was noticed."""
        self.clicks += [(session, *_columns(each)) for each in heard.clicks]
        self.error_s = max(self.error_s, heard.error_s)
        self.pauses_s = max(self.pauses_s, heard.pauses_s)
        self.own_delay_s = max(self.own_delay_s, heard.own_delay_s)
        for words in (*deaf_remarks(heard.clicks), *heard.remarks):
            self.remark(session, words)

    def remark(self, session: int, words: str) -> None:
        """Note an observation in a session."""
        self.remarks.setdefault(words, []).append(session)

    def remarks_of(self, sessions: int) -> list[str]:
        """Return each observation once, with the sessions in which it was made, of several."""
        if sessions == 1:
            return [*self.remarks]
        return [f"{words} ({_named(noted, sessions)})" for words, noted in self.remarks.items()]


def _named(noted: Sequence[int], sessions: int) -> str:
    if len(noted) == sessions:
        return "in every session"
    numbers = [str(session + 1) for session in noted]
    return f"in session {' and '.join(numbers)}"


def _columns(click: HeardClick) -> tuple[Any, ...]:
    return (
        click.sender,
        click.receiver,
        click.click,
        click.emitted_s,
        1000 * click.latency_s,
        click.confidence,
    )


async def measure_browsers(
    plan: BrowserPlan,
    progress: Progress = lambda *_: None,
    folder: Path | None = None,
    *,
    arguments: Sequence[str] = (),
    within: Mapping[str, Within] = MappingProxyType({}),
    keep: Callable[[BrowserRecord], object] = lambda _: None,
) -> BrowserRecord:
    """Measure the latency between browsers that run an application.

    Pictures of pages that failed are kept in a given folder. `arguments` are further ones for every
    browser, `within` as in `jamlab.browsers.engines.Setting`. `keep` is given the record so far,
    with a remark that the run was ended, after each session but the last. Raises `BrowserError`,
    `StepsError`, `PlayerError` or `ClockError` when the first session fails. When a later one does,
    the record has the sessions before it.
    """
    join = steps_in(Path(plan.steps), plan.join_timeout_s) if plan.steps else no_steps
    pulled = [word for lever in levers_named(plan.levers) for word in lever.arguments]
    devices = _DEVICES if plan.audio == INJECTED else ()
    browser = _fit(installed(plan.browser), plan)
    setting = Setting(browser, plan.visible, [*devices, *pulled, *arguments], within=within)
    run = _Run()
    async with served(plan.url) as url, _audio(plan) as audio:
        at = replace(plan, url=url)
        for session in range(plan.sessions):
            progress(session / plan.sessions, f"browsers: session {session + 1}")
            try:
                await _session(at, setting, audio, join, session, run, folder)
            except FAULTS as error:
                if not run.clicks:
                    raise
                ended = f"session {session + 1} failed, and the run ended: {error}"
                return _record(plan, setting, run, [ended])
            if (done := session + 1) < plan.sessions:
                unfinished = f"the run was ended after {done} of {plan.sessions} sessions"
                keep(_record(plan, setting, run, [unfinished]))
    return _record(plan, setting, run)


def _fit(browser: Browser, plan: BrowserPlan) -> Browser:
    """Return the browser; raises `BrowserError` when the instrument cannot play into its pages."""
    if browser.name == "firefox" and plan.audio == INJECTED:
        raise BrowserError(
            f"{browser.title} needs --audio system: clicks go into pages of Chromium, Chrome and "
            "Edge only"
        )
    return browser


@asynccontextmanager
async def _audio(plan: BrowserPlan) -> AsyncIterator[Audio]:
    """Make the audio of a plan's way to measure."""
    if plan.audio == INJECTED:
        yield InjectedAudio(plan.metronomes())
        return
    pulled = [lever.period_frames for lever in levers_named(plan.levers) if lever.period_frames]
    async with system_audio(plan.metronomes(), min([plan.period_frames, *pulled])) as audio:
        yield audio


async def _session(
    plan: BrowserPlan,
    setting: Setting,
    audio: Audio,
    join: Join,
    session: int,
    run: _Run,
    folder: Path | None,
) -> None:
    levers = page_settings(levers_named(plan.levers))

    def page(player: str) -> str:
        label = audio.microphones.get(player, "")
        inside = audio.injected
        return script(injected=inside, recorded=inside, levers=levers, microphone_label=label)

    async with browsers(setting, audio.environments, page) as started:
        players = await enter(plan, started, join, session, folder)
        for each in players:
            await each.stay()
        await audio.play(players, plan.settle_s + plan.session_s + MAX_LATENCY_S + _MARGIN_S)
        for each in players:
            run.asked[each.name] = await each.asked()
        await asyncio.sleep(plan.settle_s)
        heard, rows = await _heard(plan, players, audio)
        run.routes = routes(await snapshots_of(players))
        contexts = {each.name: await each.contexts() for each in players}
    run.statistics += [{"session": session, **row} for row in rows]
    run.note(session, heard)
    run.contexts = {
        player: max(len(theirs), run.contexts.get(player, 0)) for player, theirs in contexts.items()
    }
    for words in context_remarks(contexts):
        run.remark(session, words)


async def _heard(
    plan: BrowserPlan, players: Sequence[Player], audio: Audio
) -> tuple[Heard, list[dict[str, Any]]]:
    """Hear the clicks, and read the statistics meanwhile; the first fault of either ends both."""
    hearing = asyncio.ensure_future(audio.hear(plan.session_s))
    polling = asyncio.ensure_future(_poll(players, plan.session_s))
    both: tuple[asyncio.Future[Any], ...] = (polling, hearing)
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
        for each in both:
            if each.done():
                each.result()
        return await hearing, await polling
    finally:
        for each in both:
            each.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _poll(players: Sequence[Player], seconds: float) -> list[dict[str, Any]]:
    """Read the statistics once a second; return the rows of the table."""
    loop = asyncio.get_running_loop()
    begin_s, rows = loop.time(), list[dict[str, Any]]()
    before = {key[1:]: each for key, each in received(await snapshots_of(players)).items()}
    while loop.time() < begin_s + seconds:
        await asyncio.sleep(_POLL_S)
        after = received(await snapshots_of(players))
        rows += _rows(before, after, loop.time() - begin_s)
        # Kept of a frame that gives no answer for once; a sender may be found out later.
        before |= {key[1:]: stream for key, stream in after.items()}
    return rows


def _rows(
    before: Mapping[tuple[str, str], Stream],
    after: Mapping[tuple[str, str, str], Stream],
    at_s: float,
) -> list[dict[str, Any]]:
    """Return a row a stream; one that was not there before began meanwhile."""
    return [
        {
            **dict(zip(("sender", "receiver", "stream"), key, strict=True)),
            "at_s": at_s,
            **between(before.get(key[1:], _NOT_BEGUN), stream),
        }
        for key, stream in after.items()
    ]


def _record(
    plan: BrowserPlan, setting: Setting, run: _Run, further: Sequence[str] = ()
) -> BrowserRecord:
    """Return the record so far; `further` has remarks on the run."""
    sessions = len({session for session, *_ in run.clicks})
    return BrowserRecord(
        pd.DataFrame(run.statistics, columns=list(STATISTICS)).astype(STATISTICS),
        pd.DataFrame(run.clicks, columns=list(CLICKS)).astype(CLICKS),
        provenance(
            plan.to_dict(),
            browser={
                "name": setting.browser.name,
                "version": setting.browser.version,
                "arguments": setting.changes,
                "visible": setting.visible,
            },
            asked=run.asked,
            routes=run.routes,
            contexts=run.contexts,
            error_ms=1000 * run.error_s,
            own_delay_ms=1000 * run.own_delay_s,
            pauses_ms=1000 * run.pauses_s,
            remarks=[*run.remarks_of(sessions), *further],
        ),
    )
