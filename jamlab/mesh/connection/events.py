"""What the audio service reports, as values, and who is called with them."""

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
    """A connection went from one state to another."""

    peer_id: str
    state: ConnectionState
    previous: ConnectionState
    at_s: float
    """When, by the event loop's clock."""
    reason: str = ""
    """Why, in words, where the state alone does not say."""
    connection: int = 0
    """Which of the service's connections: while one is replaced, there are two to a peer."""


class IceConnectionState(StrEnum):
    """State of a connection's ICE agent (W3C WebRTC §5.6.4)."""

    NEW = "new"
    CHECKING = "checking"
    CONNECTED = "connected"
    COMPLETED = "completed"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class IceConnectionStateChange:
    """The ICE agent of a connection went from one state to another."""

    peer_id: str
    state: IceConnectionState
    previous: IceConnectionState
    at_s: float
    """When, by the event loop's clock."""
    connection: int
    """Which of the service's connections."""


@dataclass(frozen=True, slots=True)
class RemoteStreamAdded:
    """A peer's sound is there to be played."""

    peer_id: str
    playout: Playout


@dataclass(frozen=True, slots=True)
class RemoteStreamEnded:
    """A peer sends no more sound, or its connection closes; one for each stream that was added.

    A connection that only lost its stream (RTCP BYE) lives on, and still carries our sound.
    """

    peer_id: str


RemoteStreamEvent = RemoteStreamAdded | RemoteStreamEnded


@dataclass(frozen=True, slots=True)
class PeerReport:
    """Somebody in the room told us something that is not about a connection."""

    peer_id: str
    data: Mapping[str, Any]
    """Unchecked: an object of at most `jamlab.signaling.messages.MAX_SIGNAL_BYTES` as JSON."""


class Listeners(list[Callable[[Event], None]]):
    """Callbacks of one kind of event; one that raises is logged and the others are called."""

    def add(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` from now on; returns how to stop that, harmless when called twice."""
        entry = partial(listener)  # its own, so that a listener added twice is two
        self.append(entry)

        def remove() -> None:
            with contextlib.suppress(ValueError):
                self.remove(entry)

        return remove

    def emit(self, event: Event) -> None:
        """Call everyone."""
        for listener in tuple(self):
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed on %s", event)
