"""Limits of a hub."""

from collections import deque
from dataclasses import dataclass, fields

from jamlab.signaling.messages import MAX_NAME, MAX_SIGNAL_BYTES


class RefusedError(ValueError):
    """A client's request is refused; the text is the reason in the reply."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a hub; raises ValueError if one is not above zero.

    An event is a message from a participant, or a resulting one to a participant: a broadcast in a
    room of n is n events, as the hosted service counts them. Bursts of two seconds of the rate are
    allowed.
    """

    sockets: int = 1024
    """Clients at the same time."""
    waiting: int = 256
    """Connections that have opened no WebSocket yet."""
    rooms: int = 64
    """Rooms with participants."""
    rooms_per_socket: int = 8
    members_per_room: int = 32
    room_length: int = MAX_NAME
    """Characters in the name of a room."""
    key_length: int = MAX_NAME
    """Characters in a presence key, which is a participant's name."""
    message_bytes: int = 256 * 1024
    """Bytes in a message; a client that sends a message of twice that length is dropped."""
    presence_bytes: int = 4 * 1024
    """Bytes of one participant's presence; a newcomer gets all presences in one message."""
    presence_calls: int = 5
    """Presence calls (track, untrack) of one client within `presence_window_s`."""
    presence_window_s: float = 30.0
    events_per_s: float = 1000.0
    """Events caused by all clients together."""
    socket_events_per_s: float = 250.0
    """Events caused by one client. A client that sends four times as many messages is dropped;
    each 4 KiB of a message count as one."""
    joins_per_s: float = 2.0
    """Average rate of joins from one address, with bursts of `joins_burst`. Each join makes all
    participants of the room offer a connection."""
    joins_burst: int = 32
    address_share: float = 0.5
    """Share of the sockets, rooms and events that clients of one address may take together, so that
    no single one takes all; clients behind a proxy have one address."""
    unsent_bytes: int = 1024 * 1024
    """Unsent bytes of other clients' messages to one client; further ones are withheld. A client
    with as many unsent bytes of the hub's own messages is dropped."""
    sender_unsent_bytes: int = 128 * 1024
    """Unsent bytes of one client's messages to another; further ones, after the first message, are
    withheld."""
    signal_bytes: int = MAX_SIGNAL_BYTES + 4096
    """Longest first message that is never withheld: a signal with its frame."""
    secret_length: int = 128
    """Characters in the secret that owns a name."""
    hold_s: float = 10.0
    """Time for which a name is reserved after the loss of its socket."""
    challenge_s: float = 2.0
    """Time limit for the pong of a name's holder when another client joins under the name."""

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if not value > 0:
                raise ValueError(f"a hub's limit {limit.name} must be above zero, not {value}")

    def of_address(self, whole: int) -> int:
        """Return how much of a whole the clients of one address may take, at least one."""
        return max(1, int(self.address_share * whole))


class CallWindow:
    """Rate limit: `calls` in any period of `window_s` (sliding window)."""

    def __init__(self, calls: int, window_s: float) -> None:
        self.calls = calls
        self.window_s = window_s
        self._taken_at_s: deque[float] = deque()

    def take(self, now_s: float) -> bool:
        """Count a call, if permitted; return whether it is."""
        taken = self._taken_at_s
        while taken and taken[0] + self.window_s <= now_s:
            taken.popleft()
        if len(taken) >= self.calls:
            return False
        taken.append(now_s)
        return True
