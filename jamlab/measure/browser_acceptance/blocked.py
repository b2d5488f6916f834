"""Acceptance test of a browser whose connections are blocked: its page's words, and the others.

The third page's connections get no candidates (``block.js``). After both its connections have been
given up, the other two must hear each other undisturbed, and the third must be in the session
without audio. Then the block is lifted, and the pages must find that out by themselves.
"""

import asyncio
import json
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

from jamlab.audio.levels import peak_dbfs
from jamlab.measure.acceptance import browser_tests as named
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.browser.players import PlayerError
from jamlab.measure.browser_acceptance.musicians import DEADLINE_S, Musician, all_hear, in_room
from jamlab.measure.browser_acceptance.sound import (
    TONES_HZ,
    draw_tones,
    listen,
    note_share,
    play_all,
)

RETRYING = "Direct audio connection failed, retrying…"
WITHOUT_AUDIO = "No audio connection"
"""The product's words."""
STRETCH_S = 5.0
_SETTLE_S = 5.0
_PACE_S = 0.25
_SCRIPT = Path(__file__).with_name("block.js")


def block_script(name: str) -> str:
    """Return the script that blocks the connections of one participant."""
    source = _SCRIPT.read_text(encoding="utf-8")
    return f"(() => {{ const BLOCKED = {json.dumps(name)};\n{source}\n}})()"


async def blocked_browser() -> Finding:
    """Block one of three browsers; note what the pages say, and who hears whom.

    Raises `BrowserError` and `PlayerError`.
    """
    finding = Finding(named.BLOCKED)
    loop = asyncio.get_running_loop()
    names = list(TONES_HZ)
    async with in_room(names, further=block_script(names[-1])) as musicians:
        *others, blocked = musicians
        began_s = loop.time()
        await play_all(musicians)
        await all_hear(others)
        await _warned(finding, musicians, began_s)
        await asyncio.sleep(_SETTLE_S)
        heard = await listen(finding, musicians, STRETCH_S)
        for each in others:
            expected = {other.name for other in others} - {each.name}
            note_share(finding, named.HEARD_OTHERS, each.name, heard[each.name], expected)
        peak = peak_dbfs(heard[blocked.name]).max()
        finding.note(named.BLOCKED_HEARS, blocked.name, float(peak))
        finding.tell("notices", loop.time() - began_s, "the block is lifted")
        await blocked.page.evaluate("() => { window.jamlabBlock = false; }")
        finding.note(named.RECOVERED, "", await _recovery_s(musicians))
        for each in musicians:
            draw_tones(finding, each.name, heard[each.name])
            finding.note(named.UNFORESEEN, each.name, len(each.browser.faults))
    return finding


async def _warned(finding: Finding, musicians: Sequence[Musician], began_s: float) -> None:
    """Read the warnings until both ends of each blocked connection have had both, or too long."""
    loop = asyncio.get_running_loop()
    blocked = musicians[-1].name
    concerned = [
        (one, other.name)
        for one, other in permutations(musicians, 2)
        if blocked in (one.name, other.name)
    ]
    seen: dict[tuple[str, str, str], float] = {}
    while loop.time() < began_s + DEADLINE_S and len(seen) < 2 * len(concerned):
        for each in musicians:
            for said in await each.warnings():
                for _, peer in (pair for pair in concerned if pair[0] is each):
                    _note_words(finding, seen, each.name, peer, said, loop.time() - began_s)
        await asyncio.sleep(_PACE_S)
    for figure, wanted in ((named.WARNED, RETRYING), (named.WITHOUT_AUDIO, WITHOUT_AUDIO)):
        for each, peer in concerned:
            after_s = seen.get((each.name, peer, wanted), DEADLINE_S)
            finding.note(figure, f"{each.name} about {peer}", after_s)


def _note_words(
    finding: Finding,
    seen: dict[tuple[str, str, str], float],
    who: str,
    peer: str,
    said: str,
    after_s: float,
) -> None:
    for wanted in RETRYING, WITHOUT_AUDIO:
        if f"{peer}: {wanted}" in said and (who, peer, wanted) not in seen:
            seen[who, peer, wanted] = after_s
            finding.tell("notices", after_s, said, who=who, peer=peer)


async def _recovery_s(musicians: Sequence[Musician]) -> float:
    try:
        return await all_hear(musicians, DEADLINE_S)
    except PlayerError:
        return DEADLINE_S
