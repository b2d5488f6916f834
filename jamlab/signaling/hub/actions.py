"""What `Rooms` asks for, and what it counts."""

from dataclasses import dataclass
from typing import TypeAlias

from websockets.frames import CloseCode

from jamlab.signaling.hub.backlog import OWN
from jamlab.signaling.hub.phoenix import Message


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to each of some sockets."""

    sockets: tuple[int, ...]
    message: Message
    sender: int = OWN
    """The socket whose message it is; by default it is the hub's."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close a socket, which is forgotten in the rooms already."""

    socket: int
    code: CloseCode
    reason: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Ping a socket, and call `Rooms.answer` when it answers."""

    socket: int


Action: TypeAlias = Send | Close | Ping


@dataclass(slots=True)
class HubCounters:
    """What a hub has done."""

    joins: int = 0
    """Members admitted."""
    broadcasts: int = 0
    """Broadcasts passed on."""
    refused: int = 0
    """Messages answered with an error."""
    forged: int = 0
    """Signals refused because they were in somebody else's name, or in nobody's."""
    malformed: int = 0
    """Sockets closed for a frame that is not a message."""
    floods: int = 0
    """Sockets closed for sending too much."""
    evicted: int = 0
    """Sockets closed for not answering when somebody asked for a name they bore, or when its owner
    came again."""
    slow: int = 0
    """Sockets closed for not reading what the hub says."""
    withheld: int = 0
    """Broadcasts that one client did not get, for it had not read its sender's earlier ones."""
