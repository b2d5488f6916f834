"""List of the participants in a room, from snapshots of its presence state.

A snapshot is the service's whole presence state: for each name the occupants that track themselves
under it, each with a random `instance` and its time of joining. The first occupant holds the name:
after a crash the service may list the crashed one for a minute, and it lists both of two that take
a name at the same moment. Snapshots are compared, so that it does not matter how the service groups
its changes: a name with another instance means one departure and one arrival.

**No arrival is missed.** A newcomer reads the presence state first, and then tracks itself.
Participants that it saw before the first snapshot with itself had tracked themselves earlier, so
they report the newcomer, which does not report them; it reports all that it sees later. If neither
of two reported the other, each would have tracked itself before the other did.

**Absence is not departure.** A participant whose presence ends may have lost only its socket, and
all presences end when the service restarts. A participant that leaves states it in its presence and
is removed at once. Any other stays in the roster for `grace_s`; if it returns within that time with
the same instance, no event is reported. But a participant that is not heard any more either, such
as a browser's tab that was closed, has left.
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

UNHEARD_S = 1.0
"""How long a participant that is not heard may be absent."""


class Occupant(NamedTuple):
    """A participant that tracks itself under a name; the first in order holds the name."""

    joined_at_s: float
    """Time of joining, by its own wall clock."""
    instance: str
    """Distinguishes it from others of the same name."""
    leaving: bool = False
    """Whether its presence states that it leaves."""

    def to_payload(self) -> dict[str, Any]:
        """Return the presence payload."""
        payload: dict[str, Any] = {"instance": self.instance, "joined_at": self.joined_at_s}
        return {**payload, "leaving": True} if self.leaving else payload


def read_presence(state: object) -> dict[str, Occupant]:
    """Return the holder of each name, without the malformed parts of a presence state.

    Parameters
    ----------
    state : object
        ``{name: [{"presence_ref", "instance", "joined_at", …}, …]}``, as the client gives it. The
        presence reference serves as the instance of participants that are not jamlab's.
    """
    if not isinstance(state, Mapping):
        return {}
    holders = {}
    for name, metas in state.items():
        occupants = list(_occupants(metas))
        if is_name(name) and occupants:
            # of one instance on two sockets, the statement that it leaves is the later one
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
    # a JSON number may have any size; without a time the participant counts as the last to join
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        return float(value)
    return math.inf


class Roster:
    """One participant's view of its room; a peer absent for `grace_s` counts as having left."""

    def __init__(self, name: str, instance: str, *, grace_s: float) -> None:
        self.name = name
        self.instance = instance
        self.is_member = False
        """Whether the participant itself is in the room, under its name."""
        self.is_taken = False
        """Whether another instance held its name in the last snapshot."""
        self._grace_s = grace_s
        self._was_member = False
        self._seen: dict[str, Occupant] = {}
        self._peers: dict[str, str] = {}
        self._absent_until_s: dict[str, float] = {}
        self._unheard: set[str] = set()  # peers that were heard, and are not any more

    @property
    def peers(self) -> frozenset[str]:
        """Other participants that are in the room, or absent within the grace."""
        return frozenset(self._peers)

    @property
    def present(self) -> frozenset[str]:
        """Other participants that can receive a signal now."""
        return self.peers - self._absent_until_s.keys() if self.is_member else frozenset()

    def update(self, state: object, now_s: float) -> list[ChannelEvent]:
        """Take a snapshot of the presence state (see `read_presence`); return its events."""
        holders = read_presence(state)
        own = holders.pop(self.name, None)
        self.is_taken = own is not None and own.instance != self.instance
        before, self._seen = self._seen, holders
        if own is None or self.is_taken:
            return self.lose(now_s)
        return self._enter(before, now_s) + self._compare(now_s)

    def lose(self, now_s: float) -> list[ChannelEvent]:
        """Note the loss of signalling; until the next snapshot no absence is counted."""
        self._absent_until_s.clear()
        if not self.is_member:
            return []
        self.is_member = False
        return [SignalingLost(now_s)]

    def note_heard(self, name: str, is_heard: bool) -> list[ChannelEvent]:
        """Note whether a peer is heard; return its departure if it is absent and is not."""
        if is_heard or name not in self._peers:
            self._unheard.discard(name)
            return []
        self._unheard.add(name)
        return [self._drop(name)] if name in self._absent_until_s else []

    def advance(self, now_s: float) -> list[ChannelEvent]:
        """Return the departures of peers that have been absent for too long."""
        late = [name for name, until_s in self._absent_until_s.items() if until_s <= now_s]
        return [self._drop(name) for name in late]

    def next_at_s(self) -> float:
        """Return when `advance` is due; infinity when it is not."""
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
                grace_s = UNHEARD_S if name in self._unheard else self._grace_s
                self._absent_until_s.setdefault(name, now_s + grace_s)
        came = [name for name in here if name not in self._peers]
        self._peers.update((name, here[name].instance) for name in came)
        return [*left, *map(PeerJoined, came)]

    def _is_gone(self, name: str, instance: str) -> bool:
        occupant = self._seen.get(name)
        return occupant is not None and (occupant.leaving or occupant.instance != instance)

    def _drop(self, name: str) -> PeerLeft:
        del self._peers[name]
        self._absent_until_s.pop(name, None)
        self._unheard.discard(name)
        return PeerLeft(name)
