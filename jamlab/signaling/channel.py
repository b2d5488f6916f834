"""The interface between a session and whatever carries its signals."""

from collections.abc import AsyncIterator
from typing import Protocol

from jamlab.signaling.messages import ChannelEvent, Signal


class NameTakenError(ValueError):
    """Somebody in the room has that name already."""


class Membership(Protocol):
    """One peer's place in a room."""

    peer_id: str
    """The member's own name."""

    @property
    def peers(self) -> frozenset[str]:
        """Everybody else in the room now."""

    def events(self) -> AsyncIterator[ChannelEvent]:
        """Yield what happens, in order, until this member leaves; for one reader, once."""

    async def send(self, signal: Signal) -> None:
        """Send a signal; one to oneself, or to somebody who is gone, is lost in silence."""

    async def leave(self) -> None:
        """Go out of the room. Leaving twice is harmless."""


class Channel(Protocol):
    """A room somewhere."""

    async def join(self, peer_id: str) -> Membership:
        """Come into the room.

        Those who are in it hear `PeerJoined`, the newcomer does not hear of them: of any two
        members exactly one is told to begin.

        Raises
        ------
        NameTakenError
            When the name is taken.

        Notes
        -----
        Cancelled, it leaves nothing behind: nobody is in the room then.
        """
