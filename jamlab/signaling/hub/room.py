"""One room of a hub: its members, and their sockets."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jamlab.pace import TokenBucket
from jamlab.signaling.hub.limits import CallWindow, Limits, RefusedError
from jamlab.signaling.hub.phoenix import Message, Ref, Version
from jamlab.signaling.hub.presence import Presences
from jamlab.signaling.hub.subscription import Subscription, name_in
from jamlab.signaling.looks import look

SIGNAL_EVENT = "webrtc-signal"
"""Event of a signal, whose sender is checked."""

BURST_S = 2.0
"""Burst of events, in seconds of the rate limit."""

PAGE_BYTES = 4096
"""Bytes of a message that count as one message more, because long ones cost time and memory."""

_FLOOD = 4


@dataclass(slots=True, eq=False)
class Share:
    """What the clients of one address may take of a hub together, on sockets old and new."""

    joins: TokenBucket
    events: TokenBucket

    @classmethod
    def new(cls, limits: Limits) -> "Share":
        """Return a share of which nothing is taken."""
        rate = limits.address_share * limits.events_per_s
        return cls(
            TokenBucket(limits.joins_per_s, limits.joins_burst), TokenBucket(rate, BURST_S * rate)
        )

    def is_full(self, now_s: float) -> bool:
        """Return whether nothing is taken, so that a new share would permit the same."""
        return self.joins.is_full(now_s) and self.events.is_full(now_s)


@dataclass(slots=True, eq=False)
class Socket:
    """A client, in any number of rooms."""

    number: int
    version: Version
    messages: TokenBucket
    """Messages that it may send; beyond them it is dropped."""
    events: TokenBucket
    """Events that it may cause; beyond them requests are refused."""
    presence_calls: CallWindow
    share: Share
    """What it and other clients of its address may take."""
    members: dict[str, "Member"] = field(default_factory=dict)
    """Its memberships by topic."""

    @classmethod
    def new(cls, number: int, version: Version, limits: Limits, share: Share) -> "Socket":
        """Return a socket that is in no room."""
        rate = limits.socket_events_per_s
        return cls(
            number,
            version,
            messages=TokenBucket(_FLOOD * rate, _FLOOD * BURST_S * rate),
            events=TokenBucket(rate, BURST_S * rate),
            presence_calls=CallWindow(limits.presence_calls, limits.presence_window_s),
            share=share,
        )

    @property
    def names(self) -> set[tuple[str, str]]:
        """Its names, each with its topic."""
        return {(member.topic, member.key) for member in self.members.values()}

    def member(self, message: Message) -> "Member | None":
        """Return the member that sent a message; None when its join is unknown or was replaced."""
        member = self.members.get(message.topic)
        if member is None or None in (message.join_ref, member.join_ref):
            return member
        return member if message.join_ref == member.join_ref else None

    def count_join(self, now_s: float) -> None:
        """Count a join; raises RefusedError when there are too many joins from its address."""
        if not self.share.joins.take(1, now_s):
            raise RefusedError("ClientJoinRateLimitReached: Too many joins per second")

    def count_presence_call(self, now_s: float) -> None:
        """Count a presence call; raises RefusedError when there are too many."""
        window = self.presence_calls
        if not window.take(now_s):
            raise RefusedError(
                f"ClientPresenceRateLimitReached: at most {window.calls} presence calls in "
                f"{window.window_s:g} s"
            )


@dataclass(slots=True, eq=False)
class Member:
    """A participant in a room: a socket and its presence key, which is unique in the room."""

    socket: Socket
    topic: str
    key: str
    join_ref: Ref
    asked: Subscription
    has_presence: bool = field(init=False)
    """Whether it gets the presence state and its changes; tracking a presence turns this on."""
    look: str = field(init=False)
    """How its name looks (see `looks`)."""

    def __post_init__(self) -> None:
        self.has_presence = self.asked.has_presence
        self.look = look(self.key)

    def check_instance(self, said: Mapping[str, Any] | None) -> None:
        """Check that the instance in a presence is the digest of this member's secret.

        Raises `RefusedError` if it is not: peers would take the member for another.
        """
        if said is not None and said.get("instance") not in (None, self.asked.shown):
            raise RefusedError(
                "the instance of a presence must be the SHA-256 of the join's secret"
            )

    def check_signal(self, event: str, content: object) -> None:
        """Raise RefusedError if a broadcast is a signal without this member as its sender."""
        if not _is_signal(event):
            return
        sender = content.get("senderPeerId") if isinstance(content, Mapping) else None
        if self.asked.key is None or name_in(sender) != self.asked.key:
            raise RefusedError(
                "the senderPeerId of a signal must be the presence key of its sender"
            )


@dataclass(slots=True)
class Room:
    """The members of a room by presence key, and their presences."""

    presences: Presences
    members: dict[str, Member] = field(default_factory=dict)
    opener: Share | None = None
    """The share of the address that opened it."""

    def check_look(self, key: str) -> None:
        """Check a newcomer's name; raises RefusedError if it looks like that of another member."""
        if any(m.look == look(key) and m.key != key for m in self.members.values()):
            raise RefusedError("the name is taken: it looks like that of another participant")

    def hearers(self, sender: Member) -> list[Socket]:
        """Return the sockets that get a member's broadcast."""
        members = self.members.values()
        return [m.socket for m in members if m is not sender or m.asked.wants_own]

    def watchers(self) -> list[Socket]:
        """Return the sockets that get changes of the presence state."""
        return [member.socket for member in self.members.values() if member.has_presence]


def _is_signal(event: str) -> bool:
    """Return whether a client may read an event as a signal: clients fold case by their locale."""
    letters = unicodedata.normalize("NFKD", event).encode("ascii", "ignore").decode()
    return letters.lower() == SIGNAL_EVENT
