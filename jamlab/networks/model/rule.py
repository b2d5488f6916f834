"""Rule for which peers can connect, directly or over a relay, derived from NAT mechanisms alone.

**Two NATs.** Each peer is behind a NAT of its own with one outside host. Each learns its mapped
address from a STUN server, and the two exchange these (RFC 5128 section 3.3, RFC 8445). Both send
connectivity checks to every known address of the other; the source of a received check becomes one
of them (a peer-reflexive candidate). A check succeeds when its answer comes back from its
destination. Ports are not guessed.

Call *a*, *b* the exchanged addresses: the outside addresses of the mappings towards the STUN
server. That server is a third host, so only an endpoint-independent NAT (EIM) uses the same mapping
towards the other peer; the others (ADM, APDM) make new ones.

Both EIM
    Each sends from the address to which the other sends, so every filter has an entry for exactly
    the packets that come: direct.

One EIM (A), one not (B)
    B's checks come from a new address b' on b's host. A's checks to b opened A's filter for b. A
    filter that looks at hosts only (ADF), or at nothing (EIF), lets b' in, too: A learns b' and
    answers from a, to which B has sent, so B lets the answer in: direct. An APDF filter drops b',
    and A has no other way to learn it: A's checks to b get in if B is EIF, but B's answers come
    from b' as well. So A's filtering alone decides: direct unless it is APDF.

Neither EIM
    A sends to b from a', B sends to a from b', and neither a' nor b' is known to the other.
    Mapping b was used for the STUN server only, so A's checks to it get in only if B is EIF; one
    side at least has to be. Say B is EIF, and learns a'. It answers and checks a' from an address
    b", unknown to A, on a host to which A has sent: A lets it in unless A is APDF. So A knows b".
    Does A send to b" from the a' to which B sends? If A is ADM it does, because the host is the
    same: direct. If A is APDM, it sends from a new a", which B, being EIF, lets in and answers:
    from b" if B is ADM, so this is direct, too, but from yet another address if B is APDM, and so
    on for ever. In short: direct when one is EIF, the other is not APDF, and at least one is ADM.

A peer without NAT has an address that never changes and accepts every packet: EIM and EIF.

**Several boxes.** Boxes in a row count as one. A new port at any of them is a new port outside, so
the row has the most dependent mapping of its boxes; and a packet has to pass them all, so it has
the strictest filtering. There is no rule here for an outer box that maps more dependently and
filters less strictly than an inner box: a packet may then enter by a port that was opened for
another destination, and an inner box may accept its source. A firewall is an EIM NAT of its own
filtering.

**Relays.** A relay is a third host, so it connects any two peers that can reach it: over UDP the
peers without a box that blocks UDP, over TCP (and TLS, which no box here tells from TCP) all peers.
A peer that cannot reach it has only its own addresses to offer, and no UDP gets to those.
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
    """Return whether two peers can connect with STUN alone, each behind a NAT of its own or none.

    Each NAT has one outside host; only mapping and filtering count.
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
    """Whether a direct and a relayed path exist; without either the call fails."""

    direct: bool
    relayed: bool


def expected(
    a: Place,
    b: Place,
    *,
    stun: bool,
    relay: RelayTransport = "",
    relay_only: bool = False,
) -> Expectation:
    """Return which paths a call between two places, each behind boxes of its own, can use.

    `stun`: both use a STUN server. `relay`: transport to the TURN server of both, empty without
    TURN. `relay_only`: both use relayed candidates alone. Raises ValueError if there is no rule for
    the boxes at one end.
    """
    over_udp = not (_is_blocked(a) or _is_blocked(b))
    direct = over_udp and not relay_only and _is_direct(a, b, stun)
    return Expectation(direct, relay == "tcp" or (relay == "udp" and over_udp))


def _is_direct(a: Place, b: Place, stun: bool) -> bool:
    if stun:
        return direct_possible(as_one_nat(a), as_one_nat(b))
    return _knows_its_address(a, b) or _knows_its_address(b, a)


def _knows_its_address(a: Place, b: Place) -> bool:
    """Return whether the two connect by a's host candidate: it is public, and a's boxes let b in.

    When b's address is public, too, a can send first, whatever its boxes are.
    """
    if _is_translated(a):
        return False
    one = as_one_nat(a)
    return not _is_translated(b) or one is None or one.filtering is Filtering.EIF


def as_one_nat(place: Place) -> NatType | None:
    """Return one NAT equivalent to all boxes of a place in a row; None without boxes.

    Raises ValueError if there is no rule for such a row.
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
            f"there is no rule for {name!r}: an outer box maps more dependently and filters less "
            "strictly than an inner box; make the outer box filter as strictly"
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
