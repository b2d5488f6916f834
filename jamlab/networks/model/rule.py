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

**Port mapping.** A router that maps ports (UPnP-IGD, NAT-PMP, PCP) is an endpoint-independent NAT
without a filter, EIM and EIF, for the port that it maps, in both directions. The agent is told the
mapped address. If no other box translates, that address is public, and the peer can be given it
without a STUN server. Behind a carrier's NAT it is an address of the carrier's network, which
reaches peers behind the same carrier only (`expected_in_one_carrier`); towards all others the row
counts, and the carrier's NAT in it. Only the participant's own router is asked, the innermost.

**IPv6** is not translated: both know their addresses, and each sends from the one to which the
other sends. So two participants with IPv6 are two EIM "NATs", direct whatever their firewalls
filter, except where one drops all UDP (`jamlab.networks.model.ipv6_firewall`). The boxes above see
IPv4 only, and so do the servers: IPv6 adds a direct path and changes no other.

**Relays.** A relay is a third host, so it connects any two peers that can reach it: over UDP the
peers without a box that blocks UDP, over TCP (and TLS, which no box here tells from TCP) all peers.
A peer that cannot reach it has only its own addresses to offer, and no UDP gets to those.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
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
    ipv6: bool = True,
    port_mapping: bool = True,
) -> Expectation:
    """Return which paths a call between two places, each behind boxes of its own, can use.

    `stun`: both use a STUN server. `relay`: transport to the TURN server of both, empty without
    TURN. `relay_only`: both use relayed candidates alone. `ipv6`: both use their IPv6 addresses, if
    they have any. `port_mapping`: both ask their routers for mappings. Raises ValueError if there
    is no rule for the boxes at one end.
    """
    over_udp = not (_is_blocked(a) or _is_blocked(b))
    over_ipv4 = over_udp and _is_direct(a, b, stun, port_mapping)
    direct = not relay_only and (over_ipv4 or (ipv6 and direct_over_ipv6(a, b)))
    return Expectation(direct, relay == "tcp" or (relay == "udp" and over_udp))


def expected_in_one_carrier(
    a: Place, b: Place, *, stun: bool, ipv6: bool = True, port_mapping: bool = True
) -> bool:
    """Return whether two customers of one carrier connect directly: their outermost layer is one.

    They are peers on the carrier's network, where a STUN server outside tells neither of them an
    address, and beyond it peers through the carrier's NAT if that one turns packets back
    (hairpinning). Parameters as for `expected`. Raises ValueError if the outermost layers differ.
    """
    if not a.layers or a.layers[-1:] != b.layers[-1:]:
        raise ValueError(f"{a.name!r} and {b.name!r} are not behind one carrier's boxes")
    inside = [replace(place, layers=place.layers[:-1]) for place in (a, b)]
    turned = any(isinstance(box, NatType) and box.hairpinning for box in a.layers[-1])
    return expected(*inside, stun=False, ipv6=ipv6, port_mapping=port_mapping).direct or (
        turned and expected(a, b, stun=stun, ipv6=False, port_mapping=port_mapping).direct
    )


def direct_over_ipv6(a: Place, b: Place) -> bool:
    """Return whether two places connect over IPv6: both have it, and neither drops all UDP."""
    return all(place.ipv6 not in (None, Ipv6Firewall.CLOSED) for place in (a, b))


def _is_direct(a: Place, b: Place, stun: bool, port_mapping: bool) -> bool:
    """Return whether two places without blocked UDP connect over IPv4."""
    one, other = as_one_nat(a, mapped=port_mapping), as_one_nat(b, mapped=port_mapping)
    if stun:
        return direct_possible(one, other)
    known, other_known = (_knows_its_address(place, port_mapping) for place in (a, b))
    if known and other_known:  # both can send first, whatever their boxes are
        return True
    return (known and _lets_in(one)) or (other_known and _lets_in(other))


def _knows_its_address(place: Place, port_mapping: bool) -> bool:
    """Return whether a place knows its public address without STUN."""
    nats = sum(isinstance(box, NatType) for box in _boxes(place))
    return nats == 0 or (nats == 1 and port_mapping and place.maps_ports)


def _lets_in(one: NatType | None) -> bool:
    """Return whether a place lets in senders to whom it has not sent."""
    return one is None or one.filtering is Filtering.EIF


def as_one_nat(place: Place, *, mapped: bool = False) -> NatType | None:
    """Return one NAT equivalent to all boxes of a place in a row; None without boxes.

    `mapped`: for a port that the participant's router maps, if it maps any. Raises ValueError if
    there is no rule for such a row.
    """
    row: NatType | None = None
    for box in _boxes(place, mapped):
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


def _boxes(place: Place, mapped: bool = False) -> Iterator[Box]:
    for depth, layer in enumerate(place.layers):
        for box in layer:
            maps = mapped and depth == 0 and isinstance(box, NatType) and box.port_mapping
            yield NatType(Mapping.EIM, Filtering.EIF) if maps else box
