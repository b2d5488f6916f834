"""One room of a hub: its members, and the sockets they came through."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jamlab.signaling.hub.limits import CallWindow, Limits, RefusedError
from jamlab.signaling.hub.phoenix import Message, Version
from jamlab.signaling.hub.presence import Presences
from jamlab.signaling.hub.subscription import Subscription
from jamlab.signaling.pace import TokenBucket

SIGNAL_EVENT = "webrtc-signal"
"""The broadcast in which nobody may speak for another."""

BURST_S = 2.0
"""How many seconds' worth of events may come at once."""

PAGE_BYTES = 4096
"""How much of a message counts as another one: what is long costs time and room."""

_FLOOD = 4


@dataclass(slots=True, eq=False)
class Socket:
    """A client, in any number of rooms."""

    number: int
    version: Version
    messages: TokenBucket
    """What it may send before it is dropped."""
    events: TokenBucket
    """What it may cause before it is refused."""
    presence_calls: CallWindow
    """How often it may say something about itself."""
    joins: TokenBucket
    """How often it, and others of its address, may come into a room."""
    members: dict[str, "Member"] = field(default_factory=dict)
    """Its memberships by topic."""

    @classmethod
    def new(cls, number: int, version: Version, limits: Limits, joins: TokenBucket) -> "Socket":
        """Return a socket that is in no room."""
        rate = limits.socket_events_per_s
        return cls(
            number,
            version,
            messages=TokenBucket(_FLOOD * rate, _FLOOD * BURST_S * rate),
            events=TokenBucket(rate, BURST_S * rate),
            presence_calls=CallWindow(limits.presence_calls, limits.presence_window_s),
            joins=joins,
        )

    @property
    def names(self) -> set[tuple[str, str]]:
        """The names it bears, each with its topic."""
        return {(member.topic, member.key) for member in self.members.values()}

    def member(self, message: Message) -> "Member | None":
        """Return whom a message comes from, None where its join is none or was replaced."""
        member = self.members.get(message.topic)
        if member is None or None in (message.join_ref, member.join_ref):
            return member
        return member if message.join_ref == member.join_ref else None

    def count_join(self, now_s: float) -> None:
        """Note that it comes into a room.

        Raises
        ------
        RefusedError
            Clients of its address do so too often.
        """
        if not self.joins.take(1, now_s):
            raise RefusedError("ClientJoinRateLimitReached: Too many joins per second")

    def count_presence_call(self, now_s: float) -> None:
        """Note that it says something about itself.

        Raises
        ------
        RefusedError
            It does so too often.
        """
        window = self.presence_calls
        if not window.take(now_s):
            raise RefusedError(
                f"ClientPresenceRateLimitReached: at most {window.calls} presence calls in "
                f"{window.window_s:g} s"
            )


@dataclass(slots=True, eq=False)
class Member:
    """A socket in a room, under a key nobody else has there."""

    socket: Socket
    topic: str
    key: str
    join_ref: str | None
    asked: Subscription
    has_presence: bool = field(init=False)
    """Whether it is told who is there: whoever says something about itself is from then on."""

    def __post_init__(self) -> None:
        self.has_presence = self.asked.has_presence

    def check_instance(self, said: Mapping[str, Any] | None) -> None:
        """Check that a member who says which instance it is holds its name by that one's secret.

        Raises
        ------
        RefusedError
            It does not: peers would take it for somebody else.
        """
        if said is not None and said.get("instance") not in (None, self.asked.shown):
            raise RefusedError("the instance of a presence is the SHA-256 of the join's secret")

    def check_signal(self, event: str, content: object) -> None:
        """Check that a broadcast, if it is a signal, is in this member's own name.

        Raises
        ------
        RefusedError
            It is not.
        """
        if not _is_signal(event):
            return
        sender = content.get("senderPeerId") if isinstance(content, Mapping) else None
        if self.asked.key is None or sender != self.asked.key:
            raise RefusedError("the senderPeerId of a signal is the presence key of its sender")


@dataclass(slots=True)
class Room:
    """Who is in it, by key, and what they say about themselves."""

    presences: Presences
    members: dict[str, Member] = field(default_factory=dict)

    def hearers(self, sender: Member) -> list[Socket]:
        """Return who hears a member's broadcast."""
        members = self.members.values()
        return [m.socket for m in members if m is not sender or m.asked.wants_own]

    def watchers(self) -> list[Socket]:
        """Return who is told of comings and goings."""
        return [member.socket for member in self.members.values() if member.has_presence]


def _is_signal(event: str) -> bool:
    """Return whether a client may take it for a signal: clients fold case, by their own locales."""
    letters = unicodedata.normalize("NFKD", event).encode("ascii", "ignore").decode()
    return letters.lower() == SIGNAL_EVENT
