"""Events of the audio service, and lists of listeners."""

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from jamlab.media.playout.playout import Playout

log = logging.getLogger(__name__)

Event = TypeVar("Event")


class ConnectionState(StrEnum):
    """State of a peer connection (W3C WebRTC §4.3.3)."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ConnectionStateChange:
    """Change of a connection's state."""

    peer_id: str
    state: ConnectionState
    previous: ConnectionState
    at_s: float
    """Time of the event loop's clock."""
    reason: str = ""
    """Reason, when the state alone does not give it."""
    connection: int = 0
    """Number of the connection; a peer has two while one is replaced."""


class IceConnectionState(StrEnum):
    """State of a connection's ICE transports (W3C WebRTC §5.6.4)."""

    NEW = "new"
    CHECKING = "checking"
    CONNECTED = "connected"
    COMPLETED = "completed"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class IceConnectionStateChange:
    """Change of a connection's ICE state."""

    peer_id: str
    state: IceConnectionState
    previous: IceConnectionState
    at_s: float
    """Time of the event loop's clock."""
    connection: int


@dataclass(frozen=True, slots=True)
class LocalCandidate:
    """A candidate of ours that is not in our description, or the end of candidates."""

    peer_id: str
    candidate: Mapping[str, Any]
    """An ``RTCIceCandidateInit`` (W3C WebRTC §4.8.1.1); its ``candidate`` is empty at the end."""
    connection: int


@dataclass(frozen=True, slots=True)
class RemoteStreamAdded:
    """A peer's stream can be played."""

    peer_id: str
    playout: Playout


@dataclass(frozen=True, slots=True)
class RemoteStreamEnded:
    """End of a stream: the peer ended it or its connection closes; one for each added stream.

    After the end of the stream alone (RTCP BYE) the connection remains and carries our sound.
    """

    peer_id: str


RemoteStreamEvent = RemoteStreamAdded | RemoteStreamEnded


@dataclass(frozen=True, slots=True)
class PeerReport:
    """Message of a participant in the room that is not about a connection."""

    peer_id: str
    data: Mapping[str, Any]
    """Not validated: an object of at most `jamlab.signaling.messages.MAX_SIGNAL_BYTES` as JSON."""


class Listeners(list[Callable[[Event], None]]):
    """Listeners to one kind of event; an exception in one is logged, and the others are called."""

    def add(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Add a listener; return a function that removes it, harmless when called twice."""
        entry = partial(listener)  # an object of its own: a listener may be added twice
        self.append(entry)

        def remove() -> None:
            with contextlib.suppress(ValueError):
                self.remove(entry)

        return remove

    def emit(self, event: Event) -> None:
        """Call all listeners."""
        for listener in tuple(self):
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed on %s", event)
