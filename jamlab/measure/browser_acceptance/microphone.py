"""Acceptance test of the microphone in the browser: captured, and denied."""

import asyncio
from collections.abc import Mapping
from typing import Any

from jamlab.measure.acceptance import browser_tests as named
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.browser.players import PlayerError
from jamlab.measure.browser.reference import reference_client
from jamlab.measure.browser_acceptance.musicians import LEVEL_DBFS, Musician, in_room
from jamlab.measure.browser_acceptance.sound import TONES_HZ

WHY = "Microphone access is required for jamming"
"""The product's words, in the modal and as a warning."""
DENIED = "it was denied"
PROCESSING = ("echoCancellation", "noiseSuppression", "autoGainControl")
_SHOWN_S = 20.0
_SETTLE_S = 2.0


async def microphone() -> Finding:
    """Let one page capture a tone, and deny the microphone to another one.

    The other page has to say why it needs it, and that it was denied; then its user chooses to
    listen only, and the session goes on: it hears the first. Raises `BrowserError`, `PlayerError`.
    """
    finding = Finding(named.MICROPHONE)
    await _captured(finding)
    await _denied(finding)
    return finding


async def _captured(finding: Finding) -> None:
    async with in_room(["player 1"]) as (player,):
        open_ = "jam => jam.service.graph.stream !== null"
        await player.until("its page has no microphone", open_)
        await player.play(TONES_HZ[player.name])
        await asyncio.sleep(_SETTLE_S)
        level_dbfs = await player.level_dbfs()
        finding.note(named.CAPTURED, player.name, level_dbfs)
        finding.note(named.CAPTURED_ERROR, player.name, abs(level_dbfs - LEVEL_DBFS))
        finding.note(named.PROCESSED, player.name, processed(await player.asked()))
        finding.note(named.UNFORESEEN, player.name, len(player.browser.faults))


def processed(asked: list[Any]) -> int:
    """Return how many steps of processing the last request for a microphone leaves to the browser.

    Examples
    --------
    >>> processed([{"echoCancellation": False, "noiseSuppression": {"exact": False}}])
    1
    """
    constraints = asked[-1] if asked and isinstance(asked[-1], Mapping) else {}
    wanted = (constraints.get(name) for name in PROCESSING)
    plain = (
        each.get("exact", each.get("ideal")) if isinstance(each, Mapping) else each
        for each in wanted
    )
    return sum(each is not False for each in plain)


async def _denied(finding: Finding) -> None:
    async with (
        reference_client() as url,
        in_room(["player 1"], url=url) as (other,),
        in_room(["player 2"], url=url, microphone=False) as (player,),
    ):
        finding.note(named.ASKED, player.name, await _shows(player, WHY))
        await player.press("Allow")
        finding.note(named.DENIED, player.name, await _shows(player, DENIED))
        await player.press("Listen only")
        warned = "jam => jam.board.warnings.length > 0"
        await player.until("its page shows no warning", warned)
        for words in await player.warnings():
            finding.tell("notices", 0.0, words, who=player.name, kind="microphone")
        await player.connected(other.name)
        await other.play(TONES_HZ[other.name])
        await asyncio.sleep(_SETTLE_S)
        level_dbfs = await player.level_dbfs(other.name)
        finding.note(named.LISTENS, f"{other.name} → {player.name}", level_dbfs)
        finding.note(named.UNFORESEEN, f"{player.name}, denied", len(player.browser.faults))


async def _shows(player: Musician, words: str) -> float:
    """Return 100 when the page's modal shows some words soon, and 0 otherwise."""
    shown = "(_, words) => document.querySelector('dialog[open]')?.textContent.includes(words)"
    try:
        await player.until("its page shows no modal", shown, words, _SHOWN_S)
    except PlayerError:
        return 0.0
    return 100.0
