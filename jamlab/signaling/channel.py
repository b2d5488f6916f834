"""The interface between a session and whatever carries its signals."""

from collections.abc import AsyncIterator
from typing import Protocol

from jamlab.signaling.messages import ChannelEvent, Signal


class NameTakenError(ValueError):
    """Somebody in the room has that name already."""


def name_taken(name: str) -> NameTakenError:
    """Return the error that says whose name is taken."""
    return NameTakenError(f"there is a {name!r} in the room: join under another name")


class SignalingError(ConnectionError):
    """The signalling service cannot be reached, does not answer, or refuses."""


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
        """Send a signal; one to oneself, or to somebody who is gone, is lost in silence.

        Signals to one peer arrive in order. While signalling is lost they are kept for a while;
        one that may have been on its way just then is sent again, so it may arrive twice.
        """

    async def leave(self) -> None:
        """Go out of the room. Leaving twice is harmless."""


class Channel(Protocol):
    """A room somewhere."""

    async def join(self, peer_id: str) -> Membership:
        """Come into the room.

        Those who are in it hear `PeerJoined`, the newcomer does not hear of them: of any two
        members one is told to begin. When two come at the same moment both may be told, never
        neither.

        Raises
        ------
        NameTakenError
            When the name is taken.
        SignalingError
            When there is a service to be reached, and it cannot be.

        Notes
        -----
        Cancelled, it leaves nothing behind: nobody is in the room then.
        """
