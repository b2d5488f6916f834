"""Actions that `Rooms` returns for its sockets, and its counters."""

from dataclasses import dataclass
from typing import TypeAlias

from websockets.frames import CloseCode

from jamlab.signaling.hub.backlog import OWN
from jamlab.signaling.hub.phoenix import Message


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to one or more sockets."""

    sockets: tuple[int, ...]
    message: Message
    sender: int = OWN
    """Socket that the message came from; by default the hub itself."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close a socket, which is already removed from the rooms."""

    socket: int
    code: CloseCode
    reason: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Ping a socket, and call `Rooms.answer` on its pong."""

    socket: int


Action: TypeAlias = Send | Close | Ping


@dataclass(slots=True)
class HubCounters:
    """Counters of a hub."""

    joins: int = 0
    broadcasts: int = 0
    refused: int = 0
    """Messages answered with an error."""
    forged: int = 0
    """Signals refused because their sender's name was missing or another participant's."""
    malformed: int = 0
    """Frames answered with an error because they are not messages."""
    floods: int = 0
    """Sockets closed for sending too much."""
    evicted: int = 0
    """Sockets closed because another client took over their name: they did not answer a ping, or
    the client had the name's secret."""
    slow: int = 0
    """Sockets closed for not reading the hub's own messages."""
    withheld: int = 0
    """Broadcasts withheld from a client that had not read the sender's earlier ones."""
