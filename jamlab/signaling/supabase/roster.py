"""Who is in a room, from snapshots of its presence.

A snapshot is the service's whole presence: for each name the occupants who track themselves under
it, each with a random `instance` and the time it came. The occupant who came first holds the name:
after a crash the service may show a ghost for a minute, and it shows both of two who take a name at
the same moment. Snapshots are compared, so that it does not matter how the service groups its
changes: a name with another instance is somebody who left and somebody who came.

**Nobody is overlooked.** A newcomer looks first and tracks itself then. Those it saw before the
snapshot in which it is itself had tracked themselves earlier, so they hear of it and it says
nothing of them; everyone it sees later it reports. If of two neither reported the other, each would
have tracked itself before the other did.

**Absence is not departure.** Somebody whose presence ends may have lost its socket only, and
everybody's ends when the service restarts. One who leaves says so in its presence and is gone at
once; anyone else stays in the roster for `grace_s` and, back in time with the same instance, was
never away.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from jamlab.signaling.messages import (
    ChannelEvent,
    PeerJoined,
    PeerLeft,
    SignalingLost,
    SignalingRestored,
    is_name,
)


class Occupant(NamedTuple):
    """Somebody who tracks itself under a name; the first in order holds it."""

    joined_at_s: float
    """When it came, by its own wall clock."""
    instance: str
    """What tells it from others of the same name."""
    leaving: bool = False
    """Whether it said that it leaves."""

    def to_payload(self) -> dict[str, Any]:
        """Return the presence payload."""
        payload: dict[str, Any] = {"instance": self.instance, "joined_at": self.joined_at_s}
        return {**payload, "leaving": True} if self.leaving else payload


def read_presence(state: object) -> dict[str, Occupant]:
    """Return who holds each name, as far as a presence state can be understood.

    Parameters
    ----------
    state : object
        ``{name: [{"presence_ref", "instance", "joined_at", …}, …]}``, as the client gives it. A
        member that is not jamlab's has no instance; its presence reference stands for one.
    """
    if not isinstance(state, Mapping):
        return {}
    holders = {}
    for name, metas in state.items():
        occupants = list(_occupants(metas))
        if is_name(name) and occupants:
            # of one instance on two sockets, the one that says it leaves is the later word
            holder = min(occupants)
            holders[name] = holder._replace(
                leaving=any(o.leaving for o in occupants if o.instance == holder.instance)
            )
    return holders


def _occupants(metas: object) -> Iterable[Occupant]:
    for meta in metas if isinstance(metas, list) else ():
        if isinstance(meta, Mapping):
            instance = meta.get("instance") or meta.get("presence_ref")
            if isinstance(instance, str) and instance:
                yield Occupant(_time(meta.get("joined_at")), instance, meta.get("leaving") is True)


def _time(value: object) -> float:
    # a number of any size is JSON; who does not say when it came, came last
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        return float(value)
    return math.inf


class Roster:
    """One member's view of who is in its room.

    Parameters
    ----------
    name, instance : str
        The member's own.
    grace_s : float
        How long somebody may be absent without having left.
    """

    def __init__(self, name: str, instance: str, *, grace_s: float) -> None:
        self.name = name
        self.instance = instance
        self.is_member = False
        """Whether the member itself is in the room, under its name."""
        self.is_taken = False
        """Whether somebody else held its name when last seen."""
        self._grace_s = grace_s
        self._was_member = False
        self._seen: dict[str, Occupant] = {}
        self._peers: dict[str, str] = {}
        self._absent_until_s: dict[str, float] = {}

    @property
    def peers(self) -> frozenset[str]:
        """Everybody else who is in the room, or absent within the grace."""
        return frozenset(self._peers)

    @property
    def present(self) -> frozenset[str]:
        """Everybody else who can hear a signal now."""
        return self.peers - self._absent_until_s.keys() if self.is_member else frozenset()

    def update(self, state: object, now_s: float) -> list[ChannelEvent]:
        """Take a snapshot of the presence, and return what it means.

        Parameters
        ----------
        state : object
            The presence state (see `read_presence`).
        now_s : float
            The time.
        """
        holders = read_presence(state)
        own = holders.pop(self.name, None)
        self.is_taken = own is not None and own.instance != self.instance
        before, self._seen = self._seen, holders
        if own is None or self.is_taken:
            return self.lose(now_s)
        return self._enter(before, now_s) + self._compare(now_s)

    def lose(self, now_s: float) -> list[ChannelEvent]:
        """Note that the room cannot be seen any more; nobody's absence is counted until it can."""
        self._absent_until_s.clear()
        if not self.is_member:
            return []
        self.is_member = False
        return [SignalingLost(now_s)]

    def advance(self, now_s: float) -> list[ChannelEvent]:
        """Return who has been absent for too long."""
        late = [name for name, until_s in self._absent_until_s.items() if until_s <= now_s]
        return [self._drop(name) for name in late]

    def next_at_s(self) -> float:
        """Return when `advance` will have something to say; infinity when it will not."""
        return min(self._absent_until_s.values(), default=math.inf)

    def _enter(self, before: Mapping[str, Occupant], now_s: float) -> list[ChannelEvent]:
        if self.is_member:
            return []
        self.is_member = True
        if self._was_member:
            return [SignalingRestored(now_s)]
        self._was_member = True
        self._peers = {
            name: occupant.instance
            for name, occupant in self._here().items()
            if name in before and before[name].instance == occupant.instance
        }
        return []

    def _here(self) -> dict[str, Occupant]:
        return {name: o for name, o in self._seen.items() if not o.leaving}

    def _compare(self, now_s: float) -> list[ChannelEvent]:
        here = self._here()
        left = [
            self._drop(name)
            for name, instance in list(self._peers.items())
            if self._is_gone(name, instance)
        ]
        for name in self._peers:
            if name in here:
                self._absent_until_s.pop(name, None)
            else:
                self._absent_until_s.setdefault(name, now_s + self._grace_s)
        came = [name for name in here if name not in self._peers]
        self._peers.update((name, here[name].instance) for name in came)
        return [*left, *map(PeerJoined, came)]

    def _is_gone(self, name: str, instance: str) -> bool:
        occupant = self._seen.get(name)
        return occupant is not None and (occupant.leaving or occupant.instance != instance)

    def _drop(self, name: str) -> PeerLeft:
        del self._peers[name]
        self._absent_until_s.pop(name, None)
        return PeerLeft(name)
