"""In-memory signalling channel, for tests and for measurements on one machine."""

import asyncio
from collections.abc import AsyncIterator

from jamlab.signaling.channel import name_taken
from jamlab.signaling.messages import ChannelEvent, PeerJoined, PeerLeft, Signal


class MemoryChannel:
    """A signalling room in this process.

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
        """Names of the participants in the room."""
        return frozenset(self._members)

    async def join(self, peer_id: str) -> "MemoryMembership":
        """Join the room, and send the others `PeerJoined`; raises NameTakenError if it is taken."""
        if peer_id in self._members:
            raise name_taken(peer_id)
        self._tell_all(PeerJoined(peer_id))
        member = MemoryMembership(peer_id, self)
        self._members[peer_id] = member
        return member

    def deliver(self, signal: Signal) -> None:
        """Deliver a signal to its target, if that is in the room."""
        target = self._members.get(signal.target_peer_id)
        if target is not None:
            target.hear(signal)

    def remove(self, member: "MemoryMembership") -> None:
        """Remove a participant, if it is in the room; the others get `PeerLeft`."""
        if self._members.get(member.peer_id) is member:
            del self._members[member.peer_id]
            self._tell_all(PeerLeft(member.peer_id))

    def _tell_all(self, event: ChannelEvent) -> None:
        for member in self._members.values():
            member.hear(event)


class MemoryMembership:
    """One participant's membership of a `MemoryChannel`."""

    def __init__(self, peer_id: str, channel: MemoryChannel) -> None:
        self.peer_id = peer_id
        self._channel = channel
        self._heard: asyncio.Queue[ChannelEvent | None] = asyncio.Queue()

    @property
    def peers(self) -> frozenset[str]:
        """Names of the other participants in the room."""
        return self._channel.members - {self.peer_id}

    def hear(self, event: ChannelEvent) -> None:
        """Queue an event for this participant."""
        self._heard.put_nowait(event)

    async def events(self) -> AsyncIterator[ChannelEvent]:
        """Yield events in order until the participant leaves."""
        while (event := await self._heard.get()) is not None:
            yield event

    async def send(self, signal: Signal) -> None:
        """Send a signal; one to the sender itself, or to a peer that has left, is dropped."""
        if signal.target_peer_id != self.peer_id:
            self._channel.deliver(signal)

    def note_heard(self, peer_id: str, is_heard: bool) -> None:
        """Do nothing: nobody loses its signalling here."""

    async def leave(self) -> None:
        """Leave the room. Leaving twice is harmless."""
        self._channel.remove(self)
        self._heard.put_nowait(None)
