"""The stay of a page in a room: it joins any signalling channel on the page's behalf.

Signals pass in both directions. A page that closes cannot be relied upon to say so, so the stay
ends when nothing was heard of it for a while. That while is counted in ticks of this loop: a kernel
that is busy for a minute has one long tick, and hears what has come meanwhile before the next.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jamlab.signaling.channel import Channel, Membership, NameTakenError
from jamlab.signaling.messages import (
    ChannelEvent,
    PeerJoined,
    PeerLeft,
    Signal,
    SignalingLost,
    SignalingRestored,
    is_name,
)

TICK_S = 1.0

MOST_SILENT_TICKS = 10
"""Ticks without a word of the page after which it counts as closed; it speaks 4 times a second,
or once in a tab in the background."""

MOST_SIGNALS = 256
"""Signals of the page that may wait to be sent; a call needs some thirty."""

_NAME_TRIES = 10  # a page that was reloaded may still be leaving under the same name
_NAME_PAUSE_S = 0.5

Tell = Callable[[Mapping[str, Any]], None]
"""Sends a message to the page."""


class PageStay:
    """One stay of a page in a room.

    Parameters
    ----------
    name : str
        The participant's name.
    channel : Channel
        The room.
    tell : callable
        Is given ``{"kind": "joined", "peers": […]}`` and ``{"kind": "event", …}`` for the page.
    sleep : callable
        Waits for a number of seconds.
    """

    def __init__(
        self,
        name: str,
        channel: Channel,
        tell: Tell,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self.is_member = False
        self._channel = channel
        self._tell = tell
        self._sleep = sleep
        self._signals: asyncio.Queue[Signal] = asyncio.Queue(MOST_SIGNALS)
        self._silent_ticks = 0

    async def run(self) -> str:
        """Stay until the page is silent or the room is over; return the reason as a sentence.

        Raises as `Channel.join` does. However it ends, the room is left.
        """
        membership = await self._join()
        try:
            self.is_member = True
            self._tell({"kind": "joined", "peers": sorted(filter(is_name, membership.peers))})
            return await _first_of(
                self._hear(membership), self._send(membership), self._until_silent()
            )
        finally:
            self.is_member = False
            await membership.leave()

    def note(self) -> None:
        """Note that the page is still there."""
        self._silent_ticks = 0

    def send(self, signal: Signal) -> None:
        """Send a signal of the page; one beyond `MOST_SIGNALS` that wait is dropped."""
        if self.is_member and not self._signals.full():
            self._signals.put_nowait(signal)

    async def _join(self) -> Membership:
        for _ in range(_NAME_TRIES):
            try:
                return await self._channel.join(self.name)
            except NameTakenError:
                await self._sleep(_NAME_PAUSE_S)
        return await self._channel.join(self.name)

    async def _hear(self, membership: Membership) -> str:
        async for event in membership.events():
            content = _plain(event, membership)
            if content is not None:
                self._tell({"kind": "event", "event": content})
        return "the room is closed"

    async def _send(self, membership: Membership) -> str:
        while True:
            await membership.send(await self._signals.get())

    async def _until_silent(self) -> str:
        while self._silent_ticks < MOST_SILENT_TICKS:
            await self._sleep(TICK_S)
            self._silent_ticks += 1
        return "nothing is heard of the page any more: it was closed, or its connection is lost"


def _plain(event: ChannelEvent, membership: Membership) -> dict[str, Any] | None:
    """Return an event as the client's channels have it; None for one that the page is not given."""
    match event:
        case PeerJoined(peer_id) if is_name(peer_id):
            return {"event": "joined", "peerId": peer_id}
        case PeerLeft(peer_id):
            return {"event": "left", "peerId": peer_id}
        case SignalingLost():
            return {"event": "lost"}
        case SignalingRestored():
            return {"event": "restored"}
        case Signal(_, sender) if sender in membership.peers:
            return {"event": "signal", "signal": event.to_payload()}
    return None


async def _first_of(*works: Awaitable[str]) -> str:
    """Return the result of the work that ends first; the others are cancelled and have ended."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
