"""The links that the JACK ports of players' programs need: to their own devices, and no others'.

A program that links itself goes by the system's first devices, which may be another player's: such
links are removed. One that waits to be linked is linked when it has had its ports for a while. The
first two ports of each direction of a node are those of its sound; a single one is for both sides.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jamlab.audio_graph.plan import ears, loudspeaker_inputs, microphone_inputs, mouths
from jamlab.audio_graph.ports import Port

GRACE_S = 1.5
"""Time for a program to link new ports itself."""

Link: TypeAlias = tuple[int, int]
"""The numbers of an output and of an input port."""


@dataclass(frozen=True, slots=True)
class Rewiring:
    """Links to make, and links to remove."""

    made: Sequence[Link] = ()
    removed: Sequence[Link] = ()


class Patchbay:
    """Decides which ports of an audio graph to link and to unlink, from each list of its ports."""

    def __init__(self, players: Sequence[str]) -> None:
        self._players = players
        self._seen_s: dict[int, float] = {}

    def rewiring(
        self, ports: Sequence[Port], owner: Callable[[int], str | None], now_s: float
    ) -> Rewiring:
        """Return the links to make and to remove; `owner` returns the player of a process."""
        numbers = {port.name: port.number for port in ports}
        made, removed = list[Link](), list[Link]()
        for (player, _, is_input), side in self._sides(ports, owner).items():
            own = set(mouths(player) if is_input else loudspeaker_inputs(player))
            wrong = self._devices - own
            removed += [
                _link(port, numbers[name])
                for port in side
                for name in sorted(port.linked & wrong & numbers.keys())
            ]
            newest_s = max(self._seen_s.setdefault(port.number, now_s) for port in side)
            if not any(port.linked & own for port in side) and now_s >= newest_s + GRACE_S:
                made += list(_own_links(player, side, numbers))
        return Rewiring(made, removed)

    @property
    def _devices(self) -> set[str]:
        """The names of all ports of all players' devices."""
        kinds = mouths, microphone_inputs, loudspeaker_inputs, ears
        return {name for player in self._players for kind in kinds for name in kind(player)}

    def _sides(
        self, ports: Iterable[Port], owner: Callable[[int], str | None]
    ) -> dict[tuple[str, int, bool], list[Port]]:
        """Return the ports of players' JACK programs by player, node and direction, in order."""
        sides: dict[tuple[str, int, bool], list[Port]] = {}
        for port in sorted(ports, key=lambda each: each.number):
            if port.is_jack and (player := owner(port.pid)) in self._players:
                sides.setdefault((str(player), port.node, port.is_input), []).append(port)
        return sides


def _link(port: Port, other: int) -> Link:
    return (other, port.number) if port.is_input else (port.number, other)


def _own_links(player: str, side: Sequence[Port], numbers: dict[str, int]) -> Iterator[Link]:
    """Yield the links of a node's ports of one direction to a player's devices."""
    first, second = side[0], side[min(1, len(side) - 1)]
    if first.is_input:
        pairs = list(zip(side, mouths(player), strict=False))
    else:
        pairs = list(zip((first, second), loudspeaker_inputs(player), strict=True))
    for port, device in pairs:
        yield _link(port, numbers[device])
