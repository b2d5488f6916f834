"""Who can reach whom directly: the rule, derived from the mechanism and not from any simulation.

Two endpoints, each behind a NAT of its own with one public host. Each learns from a STUN server
where its packets seem to come from, and the two exchange that (RFC 5128 section 3.3, RFC 8445).
Both keep sending checks to every address of the other they know of; an address a check came from
is one of them. A check succeeds when its answer comes back from where it was sent to. Nobody
guesses ports.

Call *a*, *b* the addresses that were exchanged: the outside ends of the mappings made towards the
STUN server. That server is a third host, so only an endpoint-independent NAT (EIM) uses the same
mapping towards the other endpoint; the others (ADM, APDM) make new ones.

Both EIM
    Each sends from the address the other sends to, so every filter has been told of exactly what
    comes: direct.

One EIM (A), one not (B)
    B's checks come from a new address b' on b's host. A's filter was opened for b by what A sent
    there. A filter that looks at hosts only, or at nothing, lets b' in, too: A learns b' and
    answers from a, which is where B sent to, so B lets it in: direct. An APDF filter drops b', and
    A has no other way to learn of it: what A sends to b gets in if B is EIF, but B's answers come
    from b' as well. So A's filter alone decides: direct unless it is APDF.

Neither EIM
    A sends to b from a', B sends to a from b', and nobody knows a' or b'. Mapping b was used for
    the STUN server only, so what A sends to it gets in only if B is EIF; one side at least has to
    be. Say B is, and learns a'. It answers and checks a' from an address b" that A never heard of,
    on a host A has sent to: A lets it in unless A is APDF. So now A knows b". Does A send to b"
    from the a' that B sends to? If A is ADM it does, for the host is the same: direct. If A is
    APDM, it sends from a new a", which B, being EIF, lets in and answers: from b" if B is ADM, so
    this is direct, too, but from yet another address if B is APDM, and so on for ever. In short:
    direct when one is EIF, the other is not APDF, and at least one is ADM.

An endpoint without NAT has an address that never changes and keeps nobody out: EIM and EIF.

What can become of a call, by rule: which places reach each other, and by which servers' help.

The rule of who can reach whom (`jamlab.networks.model.rule`) is about one box at each end. Boxes in
a row are one to it: a new port at any of them is a new port outside, so the row maps as its most
dependent box does; and a packet has to pass them all, so it filters as its strictest. That holds
unless an outer box has more ports than the ones inside and watches them less: then a stranger gets
to a port that was opened for somebody else, and what lies inside may know him. There is no rule for
those here. A firewall is a NAT that changes nothing: endpoint-independent, of its own filtering.

A relay is a third host that both ends can send to, so it connects any two that can reach it: over
UDP those that no box keeps from it, over TCP (and TLS, which no box here tells from TCP) all. An
end that cannot reach it has nothing to offer but its own addresses, and no UDP gets to those.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from jamlab.networks.model.nat_behaviour import Filtering, FirewallType, Mapping, NatType
from jamlab.networks.model.place import Box, Place

ALL_TYPES: tuple[NatType | None, ...] = (
    None,
    *(NatType(mapping, filtering) for mapping in Mapping for filtering in Filtering),
)
"""No NAT, then the nine pairs of mapping and filtering, mapping by mapping."""


def direct_possible(a: NatType | None, b: NatType | None) -> bool:
    """Return whether two endpoints can reach each other with STUN alone.

    Parameters
    ----------
    a, b : NatType or None
        Each endpoint's NAT, with one public host, or None for an endpoint without. Only mapping and
        filtering count; the two are different NATs.
    """
    (mapping_a, filtering_a), (mapping_b, filtering_b) = _rules(a), _rules(b)
    if mapping_a is Mapping.EIM and mapping_b is Mapping.EIM:
        return True
    if mapping_a is Mapping.EIM:
        return filtering_a is not Filtering.APDF
    if mapping_b is Mapping.EIM:
        return filtering_b is not Filtering.APDF
    filterings = {filtering_a, filtering_b}
    lets_in = Filtering.EIF in filterings and Filtering.APDF not in filterings
    return lets_in and Mapping.ADM in {mapping_a, mapping_b}


def _rules(nat: NatType | None) -> tuple[Mapping, Filtering]:
    return (nat.mapping, nat.filtering) if nat else (Mapping.EIM, Filtering.EIF)


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
