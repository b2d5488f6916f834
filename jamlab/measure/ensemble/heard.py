"""Sentences during a session: how late each peer is heard, and what it means to musicians."""

import math
from collections.abc import Callable

from jamlab.measure.digits import plain
from jamlab.measure.latency.musicians import meaning
from jamlab.mesh.figures import PeerFigures


class HeardAfter:
    """Tells each connection's latency once, as soon as it is known.

    It is the live estimate, with half of RTCP's round trip, so it has no interval. `say` takes the
    sentence.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told: dict[str, int] = {}  # the connection of each peer that was told

    def note(self, figures: PeerFigures) -> None:
        """Take the live figures of a peer."""
        late_s = figures.one_way_s
        if late_s is None or self._told.get(figures.peer_id) == figures.connection:
            return
        self._told[figures.peer_id] = figures.connection
        late_ms = 1000 * late_s
        words = meaning(late_ms, -math.inf, math.inf)
        self._say(f"{figures.peer_id} is heard after about {plain(late_ms, 'ms')}: {words}")
