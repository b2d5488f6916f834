"""Browsers with the reference client in one room, and what is read from their pages."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.levels import dbfs_of
from jamlab.audio.pcm import SAMPLE_RATE, Block
from jamlab.browsers.engines import Setting
from jamlab.browsers.installed import BrowserError, installed
from jamlab.browsers.launch import PlayerBrowser, browsers
from jamlab.browsers.steps import words
from jamlab.measure.acceptance.sines import tone
from jamlab.measure.browser.click_paths import at_48_khz
from jamlab.measure.browser.clocks import ClockError
from jamlab.measure.browser.instrument import FrameInstrument, Track, instruments, script
from jamlab.measure.browser.plan import BrowserPlan
from jamlab.measure.browser.players import PlayerError
from jamlab.measure.browser.reference import served

DEADLINE_S = 60.0
"""Limit for anything to happen in a page."""
LEVEL_DBFS = -20.0
"""Level of the tones; AES17's second level, typical of music."""
_READINGS, _PACE_S = 20, 0.1
_JAM = "document.body.jamSession"


@dataclass
class Musician:
    """A participant: a browser with the page in a room."""

    browser: PlayerBrowser

    @property
    def name(self) -> str:
        """The participant's name."""
        return self.browser.player

    @property
    def page(self) -> Any:
        """Playwright's page."""
        return self.browser.page

    async def run(self, script: str, argument: Any = None) -> Any:
        """Return what a function of the session and an argument returns in the page."""
        return await self._guarded(
            self.page.evaluate(f"x => ({script})({_JAM}, x)", argument), "does not answer"
        )

    async def until(
        self, fault: str, script: str, argument: Any = None, within_s: float = DEADLINE_S
    ) -> None:
        """Wait until a function of the session and an argument is true in the page.

        Raises `PlayerError`, with the fault in words, when it does not become true in time.
        """
        condition = f"x => {_JAM} && ({script})({_JAM}, x)"
        waiting = self.page.wait_for_function(
            condition, arg=argument, timeout=1000 * within_s, polling=100
        )
        await self._guarded(waiting, f"{fault} after {within_s:.0f} s")

    async def _guarded(self, calling: Any, fault: str) -> Any:
        from playwright.async_api import Error
        from playwright.async_api import TimeoutError as TooLate

        try:
            return await calling
        except TooLate as error:
            raise PlayerError(f"{self.name}: {fault}") from error
        except Error as error:
            raise PlayerError(f"{self.name}: {words(error)}") from error

    async def connected(self, peer: str, within_s: float = DEADLINE_S) -> None:
        """Wait until a peer's sound comes; raises `PlayerError`."""
        script = "(jam, peer) => jam.state(peer).isConnected"
        await self.until(f"its page is not connected to {peer}", script, peer, within_s)

    async def joined(self) -> None:
        """Wait until the page is in the room; raises `PlayerError`."""
        await self.until("its page is not in the room", "() => true")

    async def press(self, button: str) -> None:
        """Press a button of the page; raises `PlayerError`."""
        pressing = self.page.get_by_role("button", name=button, exact=True)
        await self._guarded(
            pressing.click(timeout=1000 * DEADLINE_S), f"its page has no button {button}"
        )

    async def play(self, hz: int) -> None:
        """Begin to play a tone into the microphone, at `LEVEL_DBFS`."""
        second = tone((hz, hz), LEVEL_DBFS)(0, SAMPLE_RATE)[:, 0]  # whole periods, so it can loop
        track = Track(second[np.newaxis], onsets=[0], length=SAMPLE_RATE)
        await (await self._microphone()).play(track, loop=True)

    async def _microphone(self) -> FrameInstrument:
        for frame in await instruments([self.page]):
            if await frame.asked():
                return frame
        raise PlayerError(f"{self.name}: the page has asked for no microphone")

    async def asked(self) -> list[Any]:
        """Return the audio constraints with which the page asked for a microphone."""
        return [each for frame in await instruments([self.page]) for each in await frame.asked()]

    async def level_dbfs(self, peer: str | None = None) -> float:
        """Return the level on the meter of a peer, or of the own microphone: a median of peaks."""
        tap = "jam.service.graph.peer(peer).tap" if peer else "jam.service.graph.local"
        peaks = []
        for _ in range(_READINGS):
            peaks.append(max(await self.run(f"(jam, peer) => {tap}.peaks()", peer)))
            await asyncio.sleep(_PACE_S)
        return float(dbfs_of(np.median(peaks)))

    async def record(self, *, on: bool) -> None:
        """Begin or end to record what the page plays."""
        for frame in await instruments([self.page]):
            await frame.record(on=on)

    async def taken(self) -> tuple[Block, float]:
        """Return what the page played, and for how many seconds its audio stood still.

        Raises `PlayerError` when it has played nothing.
        """
        try:
            taken = [await frame.taken() for frame in await instruments([self.page])]
        except ClockError as error:
            raise PlayerError(f"{self.name}: {error}") from error
        taps = [tap for each in taken for tap in each.taps]
        if not taps:
            raise PlayerError(f"{self.name}: the page played nothing")
        loudest = max(taps, key=lambda tap: _power(tap.samples))
        heard = at_48_khz(loudest.samples, loudest.rate_hz)
        pause_s = max(tap.clock.pause_s for tap in taps)
        return np.stack([heard, heard], axis=1), pause_s

    async def warnings(self) -> list[str]:
        """Return the warnings that the page shows."""
        shown = "() => [...document.querySelectorAll('#warnings li')].map((li) => li.textContent)"
        return list(await self.run(shown))


def _power(samples: NDArray[np.float32]) -> float:
    return float(np.mean(np.square(samples))) if len(samples) else 0.0


@asynccontextmanager
async def in_room(
    names: Sequence[str], *, url: str = "", further: str = "", microphone: bool = True
) -> AsyncIterator[list[Musician]]:
    """Open the page of `jamlab serve` for every name, a browser each, in one room.

    Without an address the page is served here. The script `further` is run in every page before its
    own. Without the microphone, nothing is injected, and the browser denies it. Raises
    `BrowserError` and `PlayerError`.
    """
    setting = Setting(installed(), microphone=microphone)
    source = ";\n".join((script(injected=microphone, recorded=microphone), further))
    players: Mapping[str, Mapping[str, str]] = {name: {} for name in names}
    async with served(url) as here, browsers(setting, players, lambda _: source) as started:
        plan = BrowserPlan(here)
        musicians = [Musician(each) for each in started]
        await asyncio.gather(*(_open(each, plan.address(each.name, 0)) for each in musicians))
        yield musicians


async def _open(musician: Musician, url: str) -> None:
    """Open the page, and wait until it is in the room."""
    from playwright.async_api import Error

    try:
        await musician.page.goto(url)
    except Error as error:
        raise BrowserError(f"{musician.name} cannot open the page: {words(error)}") from error
    await musician.joined()


async def all_hear(musicians: Sequence[Musician], within_s: float = DEADLINE_S) -> float:
    """Wait until all are connected to each other; return after how many seconds.

    Raises `PlayerError`.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for one, other in permutations(musicians, 2):
        await one.connected(other.name, max(0.1, began_s + within_s - loop.time()))
    return loop.time() - began_s
