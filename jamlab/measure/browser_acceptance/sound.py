"""Acceptance tests of sound between browsers of this machine: two, three, and the loopback."""

import asyncio
from itertools import permutations

import numpy as np
import pandas as pd

from jamlab.audio.pcm import SAMPLE_RATE, Block
from jamlab.measure.acceptance import browser_tests as named
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.sines import windows
from jamlab.measure.acceptance.who_is_heard import exactly_heard_share, tone_levels
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser_acceptance.musicians import LEVEL_DBFS, Musician, all_hear, in_room
from jamlab.measure.latency.worst_path import late_ms
from jamlab.measure.statistics import Estimate, p95, resampling, share_of_sessions

TONES_HZ = {"player 1": 997, "player 2": 1499, "player 3": 2503}
"""Prime numbers, none near another's harmonic."""
SETTLE_S = 5.0
"""Time for the browsers' buffers to adapt."""
_WINDOW_FRAMES = SAMPLE_RATE // 4


async def two_browsers(record: BrowserRecord, settle_s: float = SETTLE_S) -> Finding:
    """Send a tone each way between two browsers; add the latency and dropouts of a record.

    Raises `BrowserError` and `PlayerError`.
    """
    finding = Finding(named.TWO_BROWSERS)
    names = list(TONES_HZ)[:2]
    async with in_room(names) as musicians:
        finding.note(named.CONNECTED, "", await all_hear(musicians))
        await play_all(musicians)
        await asyncio.sleep(settle_s)
        await _note_meters(finding, musicians)
    _note_latencies(finding, record)
    return finding


async def play_all(musicians: list[Musician]) -> None:
    """Let everybody play a tone of its own."""
    for each in musicians:
        await each.play(TONES_HZ[each.name])


async def _note_meters(finding: Finding, musicians: list[Musician]) -> None:
    pairs = list(permutations(musicians, 2))
    levels = await asyncio.gather(*(one.level_dbfs(other.name) for one, other in pairs))
    for (listener, sender), level_dbfs in zip(pairs, levels, strict=True):
        path = f"{sender.name} → {listener.name}"
        finding.note(named.METER, path, level_dbfs)
        finding.note(named.METER_ERROR, path, abs(level_dbfs - LEVEL_DBFS))


def _note_latencies(finding: Finding, record: BrowserRecord) -> None:
    """Note each path's latency, with the error of the clocks, and its concealed share."""
    paths = list(record.clicks.groupby(["sender", "receiver"], sort=False))
    for (sender, receiver), clicks in paths:
        found = p95(late_ms(clicks), resampling(), sessions=clicks["session"], among=len(paths))
        finding.note(named.LATENCY, f"{sender} → {receiver}", _wider(found, record))
        finding.draw("latency", f"{sender} → {receiver}", clicks["emitted_s"], clicks["latency_ms"])
    for (sender, receiver), stream in record.statistics.groupby(["sender", "receiver"], sort=False):
        counted = stream.groupby("session")[["concealed_frames", "received_frames"]].sum() / 960
        share = share_of_sessions(counted["concealed_frames"], counted["received_frames"])
        percent = Estimate(100 * share.value, 100 * share.low, 100 * share.high, share.confidence)
        finding.note(named.CONCEALED, f"{sender} → {receiver}", percent)
    finding.note(named.PAUSES, "", record.provenance["pauses_ms"])


def _wider(estimate: Estimate, record: BrowserRecord, ways: int = 1) -> Estimate:
    """Return an estimate with the clocks' error at both ends of its interval."""
    error_ms = ways * record.provenance["error_ms"]
    return Estimate(
        estimate.value, estimate.low - error_ms, estimate.high + error_ms, estimate.confidence
    )


def loopback(record: BrowserRecord) -> Finding:
    """Add up a click there and the click back that is nearest in time, of one session.

    The offset of the two pages' clocks, and so its error, cancels in the sum.
    """
    finding = Finding(named.LOOPBACK)
    players = list(dict.fromkeys(record.clicks["sender"]))
    for one, other in permutations(players, 2):
        both = there_and_back(record.clicks, one, other)
        subject = f"{one} → {other} → {one}"
        finding.note(
            named.ROUND_TRIP, subject, p95(late_ms(both), resampling(), sessions=both["session"])
        )
        finding.draw("latency", subject, both["emitted_s"], both["latency_ms"])
    finding.note(named.PAUSES, "", record.provenance["pauses_ms"])
    return finding


def there_and_back(clicks: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Return a row per click there, with the nearest click back in the same session.

    Columns: ``session``, ``emitted_s`` and ``latency_ms``, the sum of both, NaN where one was lost.
    """
    there, back = (
        clicks[(clicks["sender"] == a) & (clicks["receiver"] == b)]
        .sort_values("emitted_s")[["session", "emitted_s", "latency_ms"]]
        .reset_index(drop=True)
        for a, b in ((one, other), (other, one))
    )
    both = pd.merge_asof(
        there, back, on="emitted_s", by="session", direction="nearest", suffixes=("", "_back")
    )
    both["latency_ms"] += both.pop("latency_ms_back")
    return both


async def three_browsers(duration_s: float = 8.0, settle_s: float = SETTLE_S) -> Finding:
    """Let three browsers play a tone each; note the tones that each page plays over time.

    Raises `BrowserError` and `PlayerError`.
    """
    finding = Finding(named.THREE_BROWSERS)
    async with in_room(list(TONES_HZ)) as musicians:
        finding.note(named.CONNECTED, "", await all_hear(musicians))
        await play_all(musicians)
        await asyncio.sleep(settle_s)
        heard = await listen(finding, musicians, duration_s)
        await _note_meters(finding, musicians)
    for each in musicians:
        others = set(TONES_HZ) - {each.name}
        note_share(finding, named.HEARD_OTHERS, each.name, heard[each.name], others)
        draw_tones(finding, each.name, heard[each.name])
    return finding


async def listen(
    finding: Finding, musicians: list[Musician], duration_s: float
) -> dict[str, Block]:
    """Record what all pages play; note for how long their audio stood still."""
    await asyncio.gather(*(each.record(on=True) for each in musicians))
    await asyncio.sleep(duration_s)
    await asyncio.gather(*(each.record(on=False) for each in musicians))
    taken = await asyncio.gather(*(each.taken() for each in musicians))
    for each, (_, pause_s) in zip(musicians, taken, strict=True):
        finding.note(named.PAUSES, each.name, 1000 * pause_s)
    return {each.name: heard for each, (heard, _) in zip(musicians, taken, strict=True)}


def note_share(
    finding: Finding, figure: str, listener: str, heard: Block, expected: set[str]
) -> None:
    """Note the share of the time in which a listener heard exactly the expected tones."""
    share = exactly_heard_share(heard, TONES_HZ, LEVEL_DBFS, _WINDOW_FRAMES, expected)
    finding.note(figure, listener, 100 * share)


def draw_tones(finding: Finding, listener: str, heard: Block) -> None:
    """Add curves of the level of everybody's tone in a listener's playback."""
    stretches = windows(heard, _WINDOW_FRAMES)
    levels = np.array([tone_levels(each, [*TONES_HZ.values()]).min(axis=0) for each in stretches])
    times_s = np.arange(len(stretches)) * _WINDOW_FRAMES / SAMPLE_RATE
    for name, over_time_dbfs in zip(TONES_HZ, levels.reshape(-1, len(TONES_HZ)).T, strict=True):
        finding.draw(listener, name, times_s, over_time_dbfs)
