"""Interface of signalling channels."""

from collections.abc import AsyncIterator
from typing import Protocol

from jamlab.signaling.messages import ChannelEvent, Signal


class NameTakenError(ValueError):
    """The name is in use in the room."""


def name_taken(name: str) -> NameTakenError:
    """Return the error for a name that is in use."""
    return NameTakenError(f"the name {name!r} is taken in the room: join under another name")


class SignalingError(ConnectionError):
    """The signalling service cannot be reached, does not answer, or refuses."""


class Membership(Protocol):
    """One participant's membership of a room."""

    peer_id: str
    """The participant's own name."""

    @property
    def peers(self) -> frozenset[str]:
        """Names of the other participants in the room."""

    def events(self) -> AsyncIterator[ChannelEvent]:
        """Yield events in order until the participant leaves; for one reader, once."""

    async def send(self, signal: Signal) -> None:
        """Send a signal; one to the sender itself, or to a peer that has left, is dropped.

        Signals to one peer arrive in order. While signalling is lost they are kept for a time
        limit; a signal that was not confirmed at the loss is sent again, so it may arrive twice.
        """

    def note_heard(self, peer_id: str, is_heard: bool) -> None:
        """Note whether a peer is heard: one that is not, and has lost its signalling, has left."""

    async def leave(self) -> None:
        """Leave the room. Leaving twice is harmless."""


class Channel(Protocol):
    """A signalling room."""

    async def join(self, peer_id: str) -> Membership:
        """Join the room.

        The participants in the room get `PeerJoined`, and the newcomer gets no event for them: of
        any two participants one is told to make the offer. When two join at the same moment both
        may get the event, never neither.

        Raises `NameTakenError` if the name is taken, and `SignalingError` if the signalling service
        cannot be reached, does not answer, or refuses. A cancelled call leaves the room and
        releases everything.
        """
