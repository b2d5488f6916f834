"""A signalling room inside this process: for tests, and for a mesh measured on one machine."""

import asyncio
from collections.abc import AsyncIterator

from jamlab.signaling.channel import name_taken
from jamlab.signaling.messages import ChannelEvent, PeerJoined, PeerLeft, Signal


class MemoryChannel:
    """A room whose members are objects of this process.

    Examples
    --------
    >>> import asyncio
    >>> async def who_is_there() -> list[str]:
    ...     room = MemoryChannel()
    ...     await room.join("ada")
    ...     await room.join("bob")
    ...     return sorted(room.members)
    >>> asyncio.run(who_is_there())
    ['ada', 'bob']
    """

    def __init__(self) -> None:
        self._members: dict[str, MemoryMembership] = {}

    @property
    def members(self) -> frozenset[str]:
        """Who is in the room now."""
        return frozenset(self._members)

    async def join(self, peer_id: str) -> "MemoryMembership":
        """Come into the room; the others hear of it.

        Raises
        ------
        NameTakenError
            When the name is taken.
        """
        if peer_id in self._members:
            raise name_taken(peer_id)
        self._tell_all(PeerJoined(peer_id))
        member = MemoryMembership(peer_id, self)
        self._members[peer_id] = member
        return member

    def deliver(self, signal: Signal) -> None:
        """Hand a signal to its target, if it is there."""
        target = self._members.get(signal.target_peer_id)
        if target is not None:
            target.hear(signal)

    def remove(self, member: "MemoryMembership") -> None:
        """Take a member out, if it is in; the others hear of it."""
        if self._members.get(member.peer_id) is member:
            del self._members[member.peer_id]
            self._tell_all(PeerLeft(member.peer_id))

    def _tell_all(self, event: ChannelEvent) -> None:
        for member in self._members.values():
            member.hear(event)


class MemoryMembership:
    """One peer's place in a `MemoryChannel`."""

    def __init__(self, peer_id: str, channel: MemoryChannel) -> None:
        self.peer_id = peer_id
        self._channel = channel
        self._heard: asyncio.Queue[ChannelEvent | None] = asyncio.Queue()

    @property
    def peers(self) -> frozenset[str]:
        """Everybody else in the room now."""
        return self._channel.members - {self.peer_id}

    def hear(self, event: ChannelEvent) -> None:
        """Queue an event for this member."""
        self._heard.put_nowait(event)

    async def events(self) -> AsyncIterator[ChannelEvent]:
        """Yield what happens, in order, until this member leaves."""
        while (event := await self._heard.get()) is not None:
            yield event

    async def send(self, signal: Signal) -> None:
        """Send a signal; one to oneself, or to somebody who is gone, is lost in silence."""
        if signal.target_peer_id != self.peer_id:
            self._channel.deliver(signal)

    async def leave(self) -> None:
        """Go out of the room. Leaving twice is harmless."""
        self._channel.remove(self)
        self._heard.put_nowait(None)
