"""What can become of a call, by rule: which places reach each other, and by which servers' help.

The rule of who can reach whom (`jamlab.networks.oracle`) is about one box at each end. Boxes in a
row are one to it: a new port at any of them is a new port outside, so the row maps as its most
dependent box does; and a packet has to pass them all, so it filters as its strictest. That holds
unless an outer box has more ports than the ones inside and watches them less: then a stranger gets
to a port that was opened for somebody else, and what lies inside may know him. There is no rule
for those here. A firewall is a NAT that changes nothing: endpoint-independent, of its own
filtering.

A relay is a third host that both ends can send to, so it connects any two that can reach it: over
UDP those that no box keeps from it, over TCP (and TLS, which no box here tells from TCP) all. An
end that cannot reach it has nothing to offer but its own addresses, and no UDP gets to those.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from jamlab.networks.behaviour import Filtering, FirewallType, Mapping, NatType
from jamlab.networks.oracle import direct_possible
from jamlab.networks.place import Box, Place

RelayTransport: TypeAlias = Literal["udp", "tcp", ""]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What can become of a call; it fails when neither can."""

    direct: bool
    """Whether a direct path can be found."""
    relayed: bool
    """Whether a path over a relay can be found."""


def expected(
    a: Place,
    b: Place,
    *,
    stun: bool,
    relay: RelayTransport = "",
    relay_only: bool = False,
) -> Expectation:
    """Return what can become of a call.

    Parameters
    ----------
    a, b : Place
        Where the two ends are; each behind boxes of its own.
    stun : bool
        Whether both ask a STUN server where they are seen.
    relay : {"udp", "tcp", ""}
        How both reach their TURN server; empty when they have none.
    relay_only : bool
        Whether both want relayed paths alone.

    Raises
    ------
    ValueError
        When there is no rule for the boxes at one end.
    """
    over_udp = not (_is_blocked(a) or _is_blocked(b))
    direct = over_udp and not relay_only and _is_direct(a, b, stun)
    return Expectation(direct, relay == "tcp" or (relay == "udp" and over_udp))


def _is_direct(a: Place, b: Place, stun: bool) -> bool:
    if stun:
        return direct_possible(as_one_nat(a), as_one_nat(b))
    return _knows_its_address(a, b) or _knows_its_address(b, a)


def _knows_its_address(a: Place, b: Place) -> bool:
    """Return whether b can begin: a's own address is its public one, and its boxes let b in.

    Where b's is public, too, a sends to it and is answered whatever its boxes are.
    """
    if _is_translated(a):
        return False
    one = as_one_nat(a)
    return not _is_translated(b) or one is None or one.filtering is Filtering.EIF


def as_one_nat(place: Place) -> NatType | None:
    """Return the NAT that maps and filters as all boxes of a place in a row; None without any.

    Raises
    ------
    ValueError
        When there is no rule for such a row.
    """
    row: NatType | None = None
    for box in _boxes(place):
        one = box if isinstance(box, NatType) else NatType(Mapping.EIM, box.filtering)
        row = one if row is None else _in_a_row(row, one, place.name)
    return row


def _in_a_row(inner: NatType, outer: NatType, name: str) -> NatType:
    mapping = max(inner.mapping, outer.mapping, key=_DEPENDENCE)
    filtering = max(inner.filtering, outer.filtering, key=_STRICTNESS)
    if mapping is not inner.mapping and filtering is not outer.filtering:
        raise ValueError(
            f"there is no rule for {name!r}, where a box maps by destination and lets in what one "
            "inside keeps out: have the outer one filter as strictly"
        )
    return NatType(mapping, filtering)


_DEPENDENCE, _STRICTNESS = list(Mapping).index, list(Filtering).index


def _is_blocked(place: Place) -> bool:
    return any(isinstance(box, FirewallType) and box.udp_blocked for box in _boxes(place))


def _is_translated(place: Place) -> bool:
    return any(isinstance(box, NatType) for box in _boxes(place))


def _boxes(place: Place) -> Iterator[Box]:
    for layer in place.layers:
        yield from layer
