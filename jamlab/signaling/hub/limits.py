"""How much a hub takes, and from whom."""

from collections import deque
from dataclasses import dataclass, fields

from jamlab.signaling.messages import MAX_NAME, MAX_SIGNAL_BYTES


class RefusedError(ValueError):
    """Something a client asked for and does not get; the text is the reason it is given."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a hub allows.

    An event is a message from a member, or one to a member because of it: a broadcast in a room of
    n is n events, as the hosted service counts them. Bursts of two seconds' worth are allowed.

    Raises
    ------
    ValueError
        A limit is not above zero.
    """

    sockets: int = 256
    """Clients at the same time."""
    rooms: int = 64
    """Rooms with somebody in them."""
    rooms_per_socket: int = 8
    """Rooms one client is in."""
    members_per_room: int = 32
    """Members of one room."""
    room_length: int = MAX_NAME
    """Characters in the name of a room."""
    key_length: int = MAX_NAME
    """Characters in a presence key, which is the name of a member."""
    message_bytes: int = 256 * 1024
    """Bytes in a message; a client that sends twice as much in one is dropped."""
    presence_bytes: int = 4 * 1024
    """Bytes a member says about itself; all members' go into one message to a newcomer."""
    presence_calls: int = 5
    """How often a client says or takes back something about itself, within `presence_window_s`."""
    presence_window_s: float = 30.0
    events_per_s: float = 1000.0
    """Events caused by all clients together."""
    socket_events_per_s: float = 250.0
    """Events caused by one client; one that sends four times as many messages is dropped, and each
    4 KiB of a message count as one."""
    joins_per_s: float = 2.0
    """Times clients of one address come into rooms, on average; `joins_burst` at once. Everybody
    who is there offers each of them a connection."""
    joins_burst: int = 32
    unsent_bytes: int = 1024 * 1024
    """What of others' waits for one client to read; more is withheld. One of whom as much waits of
    what the hub itself says is dropped."""
    sender_unsent_bytes: int = 128 * 1024
    """What of one client's waits for another to read; what is more, after a first message, is
    withheld."""
    signal_bytes: int = MAX_SIGNAL_BYTES + 4096
    """How long a first message may be that is never withheld: a signal, as it is sent."""
    secret_length: int = 128
    """Characters of the secret by which a member holds its name."""
    hold_s: float = 10.0
    """How long a name is kept for a member that has lost its socket."""
    challenge_s: float = 2.0
    """How long the bearer of a name has to answer when somebody else asks for the name."""

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if not value > 0:
                raise ValueError(f"a hub's limit {limit.name} is above zero, not {value}")


class CallWindow:
    """Permission to do something so often in any stretch of time of some length.

    Parameters
    ----------
    calls : int
        How often.
    window_s : float
        The length.
    """

    def __init__(self, calls: int, window_s: float) -> None:
        self.calls = calls
        self.window_s = window_s
        self._taken_at_s: deque[float] = deque()

    def take(self, now_s: float) -> bool:
        """Do it once, if that is permitted."""
        taken = self._taken_at_s
        while taken and taken[0] + self.window_s <= now_s:
            taken.popleft()
        if len(taken) >= self.calls:
            return False
        taken.append(now_s)
        return True
