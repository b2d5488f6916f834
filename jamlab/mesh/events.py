"""What the audio service reports, as values."""

from dataclasses import dataclass
from enum import StrEnum

from jamlab.media.playout import Playout


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


@dataclass(frozen=True, slots=True)
class RemoteStreamAdded:
    """A peer's sound is there to be played."""

    peer_id: str
    playout: Playout


@dataclass(frozen=True, slots=True)
class RemoteStreamEnded:
    """A peer sends no more sound; its connection may live on."""

    peer_id: str


RemoteStreamEvent = RemoteStreamAdded | RemoteStreamEnded
