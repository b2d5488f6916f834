"""The players of a session: their browsers in the application, connected with each other."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jamlab.browsers.installed import BrowserError
from jamlab.browsers.launch import PlayerBrowser, pictures
from jamlab.browsers.steps import Join, StepsError, words
from jamlab.measure.browser.get_stats import (
    FROM_THE_HOST,
    Snapshot,
    Stream,
    connected,
    streams,
)
from jamlab.measure.browser.instrument import FrameInstrument, instruments
from jamlab.measure.browser.plan import INJECTED, BrowserPlan

_POLL_S = 0.25
_WAITING = 0.9
_GRACE_S = 3.0  # further connections may follow the first ones, where nobody knows how many


class PlayerError(RuntimeError):
    """Raised when a player does not get into the room; names the player, and says what to do."""


@dataclass
class Player:
    """A player in the application."""

    browser: PlayerBrowser
    frames: list[FrameInstrument] = field(default_factory=list)
    _measured: FrameInstrument | None = None

    @property
    def name(self) -> str:
        """The player's name."""
        return self.browser.player

    async def find_frames(self) -> None:
        """Find the instruments in the frames of its pages, which may have been loaded anew.

        Raises `PlayerError` when a page is gone, or the one that is measured was loaded anew.
        """
        self.frames = await instruments(self.browser.pages, self.frames)
        self.check()
        if self._measured is not None and self._measured not in self.frames:
            raise PlayerError(
                f"{self.name}: its page was loaded anew while it was measured; it shows "
                f"{self.browser.page.url} now"
            )

    async def stats(self) -> Snapshot:
        """Return the statistics of the connections of all frames."""
        return [each for frame in self.frames for each in await _unless_gone(frame.stats())]

    async def asked(self) -> list[Any]:
        """Return the constraints with which the page asked for a microphone."""
        return [each for frame in self.frames for each in await _unless_gone(frame.asked())]

    async def contexts(self) -> list[Any]:
        """Return the audio contexts of all frames."""
        return [each for frame in self.frames for each in await _unless_gone(frame.contexts())]

    async def microphone(self) -> FrameInstrument | None:
        """Return the frame that asked for a microphone, if there is one.

        Of several, that with connections: the others only made sure of the permission.
        """
        asked = [frame for frame in self.frames if await _unless_gone(frame.asked())]
        for frame in asked:
            if await _unless_gone(frame.stats()):
                return frame
        return next(iter(asked), None)

    async def stay(self) -> None:
        """Expect from now on that the frame with the microphone does not load another page."""
        self._measured = await self.microphone()

    async def is_insecure(self) -> bool:
        """Return whether the browser gives no microphone to the page, for want of encryption."""
        from playwright.async_api import Error

        try:
            return bool(self.frames) and not any([await each.secure() for each in self.frames])
        except Error:  # a frame is about to load another page
            return False

    def check(self) -> None:
        """Raise `PlayerError` when the page or its browser is gone."""
        if self.browser.gone:
            raise PlayerError(f"{self.name}: {self.browser.gone}")


async def _unless_gone(answer: Awaitable[list[Any]]) -> list[Any]:
    """Return a frame's answer; nothing when it is about to load another page."""
    from playwright.async_api import Error

    try:
        return await answer
    except Error:
        return []


async def enter(
    plan: BrowserPlan,
    browsers: Sequence[PlayerBrowser],
    join: Join,
    session: int,
    folder: Path | None = None,
) -> list[Player]:
    """Let every player open the application and join, one after the other.

    Raises `PlayerError` when a page cannot be opened or does not connect, and `StepsError` when a
    step fails. Pictures of the pages are then kept in a given folder.
    """
    try:
        return await _enter(plan, browsers, join, session)
    except (PlayerError, StepsError, BrowserError) as error:
        kept = [] if folder is None else await pictures(browsers, folder)
        said = f" (pictures of the pages: {', '.join(map(str, kept))})" if kept else ""
        raise type(error)(f"{error}{said}") from error


async def _enter(
    plan: BrowserPlan, browsers: Sequence[PlayerBrowser], join: Join, session: int
) -> list[Player]:
    players = []
    for browser in browsers:
        await _open(browser, plan.address(browser.player, session))
        # Playwright's own limit comes first, because it says what it waited for.
        browser.page.set_default_timeout(1000 * _WAITING * plan.join_timeout_s)
        await join(browser.page, browser.player)
        players.append(Player(browser))
    await _connected(plan, players)
    return players


async def _open(browser: PlayerBrowser, url: str) -> None:
    from playwright.async_api import Error

    try:
        # Not "load", for which a page waits that has a media element with an empty stream.
        answer = await browser.page.goto(url, wait_until="domcontentloaded")
    except Error as error:
        why = browser.gone or words(error)
        raise PlayerError(f"{browser.player} cannot open {url}: {why}") from error
    if answer is not None and not answer.ok:
        browser.faults.append(f"the server answered {answer.status} {answer.status_text}".strip())


async def _connected(plan: BrowserPlan, players: Sequence[Player]) -> None:
    """Wait until every player hears all others, or, through a server, anybody at all."""
    loop = asyncio.get_running_loop()
    begin_s, first_s = loop.time(), None
    end_s = begin_s + plan.join_timeout_s
    while True:
        snapshots = await snapshots_of(players)
        if _is_mesh(snapshots):
            return
        if all(connected(each) for each in snapshots.values()) and not _knows_players(snapshots):
            first_s = first_s or loop.time()
            if loop.time() > first_s + _GRACE_S:
                return
        if loop.time() > end_s:
            await _check_secure(players)
            raise PlayerError(await _obstacle(plan, players, snapshots))
        if loop.time() > begin_s + _GRACE_S:
            await _check_secure(players)
        await asyncio.sleep(_POLL_S)


async def snapshots_of(players: Sequence[Player]) -> dict[str, Snapshot]:
    """Return the statistics of every player; raises `PlayerError` when one is gone."""
    for player in players:
        await player.find_frames()
    return {player.name: await player.stats() for player in players}


def received(snapshots: Mapping[str, Snapshot]) -> dict[tuple[str, str, str], Stream]:
    """Return the received streams of all players, by sender, receiver and name."""
    return {
        (sender, player, name): stream
        for player, snapshot in snapshots.items()
        for (sender, name), stream in streams(
            snapshot, {name: theirs for name, theirs in snapshots.items() if name != player}
        ).items()
    }


def routes(snapshots: Mapping[str, Snapshot]) -> dict[str, dict[str, str]]:
    """Return the route of each player's packets to every other one, as far as it is stated.

    Of several streams it is the route furthest from the players' hosts.
    """
    found: dict[str, dict[str, str]] = {player: {} for player in snapshots}
    for (sender, receiver, _), stream in received(snapshots).items():
        if sender and stream.route is not None:
            known = found[receiver].get(sender, stream.route)
            found[receiver][sender] = max(known, stream.route, key=FROM_THE_HOST.index)
    return found


def _is_mesh(snapshots: Mapping[str, Snapshot]) -> bool:
    """Return whether every player receives sound from every other directly."""
    heard = {
        (sender, receiver)
        for (sender, receiver, _), stream in received(snapshots).items()
        if stream.inbound.get("packetsReceived", 0) > 0
    }
    return all((a, b) in heard for a in snapshots for b in snapshots if a != b)


def _knows_players(snapshots: Mapping[str, Snapshot]) -> bool:
    return any(sender for sender, *_ in received(snapshots))


async def _obstacle(
    plan: BrowserPlan, players: Sequence[Player], snapshots: Mapping[str, Snapshot]
) -> str:
    """Return why the players are not connected, by the first of them that lacks something."""
    waited = f"after {plan.join_timeout_s:g} s"
    for player in players:
        snapshot = snapshots[player.name]
        if await player.microphone() is None and plan.audio == INJECTED:
            why = f"the page has asked for no microphone {waited}"
        elif not snapshot:
            why = f"the page has made no RTCPeerConnection {waited}"
        elif not connected(snapshot):
            states = ", ".join(sorted({each["state"] for each in snapshot}))
            why = f"no sound has arrived {waited}; its connections are {states}"
        else:
            continue
        return f"{player.name}: {why}{_seen(player)}. {_advice(plan)}"
    return f"not every player hears every other {waited}. {_advice(plan)}"


async def _check_secure(players: Sequence[Player]) -> None:
    """Raise `PlayerError` when a page can never ask for a microphone."""
    for player in players:
        if await player.is_insecure():
            raise PlayerError(_insecure(player))


def _insecure(player: Player) -> str:
    return (
        f"{player.name}: the page {player.browser.page.url} is not secure, so the browser gives it "
        "no microphone: serve it over https://, or open it at localhost"
    )


def _seen(player: Player) -> str:
    """Return the address that a player sees, and the first error, as words to follow a fault."""
    said = f"; first error: {player.browser.faults[0]}" if player.browser.faults else ""
    return f"; it shows {player.browser.page.url}{said}"


def _advice(plan: BrowserPlan) -> str:
    return (
        f"Open {plan.url} by hand to see what it needs; give the clicks and texts that join a room "
        "as `async def join(page, player)` in a file by --steps, or more time by --join-timeout"
    )
