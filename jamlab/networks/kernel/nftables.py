"""nftables rules for each NAT and firewall that the Linux kernel can be.

The kernel tracks connections by the addresses of both ends. So its own translation and filtering
are address- and port-dependent; tables of ours add the other behaviours:

*Mapping.* A source port is preserved unless another connection to the same destination uses it.
While no two inside hosts use the same port, every destination sees the same one: EIM. With
``random``, every connection gets a port of its own: APDM.

*Filtering.* Packets of a tracked connection are let in: APDF. For ADF and EIF, and for hairpinning,
outgoing UDP adds its inside address to a map (``bindings``) and the admitted sources to a set
(``admitted``); incoming UDP from a source in the set is translated by the map.

*Input* to the router itself is dropped. Otherwise a stray packet would leave a tracked connection,
and the next packet to its sender would get another port.

For TCP only answers are let in, whatever the filtering, as no participant listens on TCP behind a
router. Packets in both directions refresh the tracked connection.

*Port mapping.* Whoever builds the network adds a port to two maps, as a UPnP server would: one for
packets in, from everybody (`MAPPED_IN`), and one for packets out (`MAPPED_OUT`).

*IPv6* passes a table of its own in the innermost router, with the kernel's connection tracking.
"""

from collections.abc import Iterable, Iterator

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import (
    UDP_LIFETIME_S,
    Filtering,
    FirewallType,
    Mapping,
    NatType,
    Pooling,
    PortAllocation,
)
from jamlab.networks.model.topology import TopologyError

OUTSIDE = "wan"
"""Name of a router's interface to the outside."""

TABLE = "ip jamlab"
"""Name of a router's table for IPv4, with its family."""

MAPPED_IN, MAPPED_OUT = "mapped_in", "mapped_out"
"""Maps of the ports that inside hosts have asked for: from the outside port to the inside address,
and from the inside to the outside address."""

LONGEST_S = 2_000_000
"""Longest lifetime: the kernel counts ticks in an int."""


class KernelRefusalError(TopologyError):
    """The kernel cannot behave like a topology of the simulated internet."""


def check_box(where: str, box: NatType | FirewallType) -> None:
    """Raise KernelRefusalError when the kernel cannot behave like a box.

    `where` is the place of the box for the message, e.g. ``"network 'home'"``.
    """
    reasons = _nat_reasons(box) if isinstance(box, NatType) else iter(())
    for reason in (*reasons, *_lifetime_reasons(box)):
        raise KernelRefusalError(f"{where}: the kernel {reason}")


def check_ipv6(where: str, ipv6: Ipv6Firewall | None, box: NatType | FirewallType | None) -> None:
    """Raise KernelRefusalError when an IPv6 firewall and a box cannot be in one namespace."""
    if ipv6 is None or ipv6.box is None or box is None:
        return
    if conntrack_timeouts(ipv6.box) != conntrack_timeouts(box):
        raise KernelRefusalError(
            f"{where}: the kernel has the same lifetimes for both versions of IP: give the "
            f"innermost box those of the IPv6 firewall, {ipv6.box.lifetime_s:g} s, and "
            f"{ipv6.box.tcp_lifetime_s:g} s for TCP"
        )


def _nat_reasons(nat: NatType) -> Iterator[str]:
    symmetric = nat.mapping is Mapping.APDM
    if nat.mapping is Mapping.ADM or (symmetric and nat.filtering is not Filtering.APDF):
        yield (
            f"has no {nat.mapping}/{nat.filtering} NAT: give EIM with any filtering, or APDM/APDF"
        )
    ports = PortAllocation.RANDOM if symmetric else PortAllocation.PRESERVE
    if nat.port_allocation is not ports:
        yield (f"has no {nat.mapping} NAT with port allocation {nat.port_allocation}: give {ports}")
    if symmetric and nat.hairpinning:
        yield "has no APDM NAT with hairpinning: leave hairpinning out"
    if nat.pooling is not Pooling.PAIRED:
        yield "has only NATs with one outside address here: leave pooling out"


def _lifetime_reasons(box: NatType | FirewallType) -> Iterator[str]:
    for lifetime_s in (_udp_lifetime_s(box), box.tcp_lifetime_s):
        if not (1 <= lifetime_s <= LONGEST_S and lifetime_s == int(lifetime_s)):
            yield (f"has no lifetime of {lifetime_s:g} s: give whole seconds from 1 to {LONGEST_S}")
    if isinstance(box, NatType) and box.filtering_lifetime_s != box.mapping_lifetime_s:
        yield (
            "removes a mapping and its filter entries together: give mapping_lifetime_s and "
            "filtering_lifetime_s the same value"
        )
    if _udp_lifetime_s(box) != UDP_LIFETIME_S and not box.inbound_refresh:
        yield (
            "refreshes a mapping by packets from outside, too: give inbound_refresh=True with a "
            f"lifetime other than {UDP_LIFETIME_S:g} s"
        )


def _udp_lifetime_s(box: NatType | FirewallType) -> float:
    return box.mapping_lifetime_s if isinstance(box, NatType) else box.lifetime_s


def conntrack_timeouts(box: NatType | FirewallType) -> dict[str, int]:
    """Return settings under ``net.netfilter``: lifetimes of tracked connections in seconds."""
    udp_s = int(_udp_lifetime_s(box))
    return {
        "nf_conntrack_udp_timeout": udp_s,
        "nf_conntrack_udp_timeout_stream": udp_s,
        "nf_conntrack_tcp_timeout_established": int(box.tcp_lifetime_s),
    }


def ruleset(box: NatType | FirewallType, public: str = "") -> str:
    """Return the rules of a router, for ``nft -f``; the box must pass `check_box`.

    `public` is a NAT's outside address.
    """
    chains = [*_tables(box), _note(box), _let_in(box), _forward(box), _INPUT]
    if isinstance(box, NatType):
        chains += _translation(box, public)
    return "\n".join([f"table {TABLE} {{", *chains, "}", ""])


def mapped(inside: str, outside: str, ports: Iterable[int]) -> str:
    """Return input of nft that maps ports of an inside host to the same ports outside."""
    ports = list(ports)
    inwards = ", ".join(f"{port} : {inside} . {port}" for port in ports)
    outwards = ", ".join(f"{inside} . {port} : {outside} . {port}" for port in ports)
    return (
        f"add element {TABLE} {MAPPED_IN} {{ {inwards} }}\n"
        f"add element {TABLE} {MAPPED_OUT} {{ {outwards} }}\n"
    )


def ipv6_ruleset(ipv6: Ipv6Firewall | None) -> str:
    """Return the rules of an IPv6 firewall, for ``nft -f``; empty where there is none.

    ICMPv6 to the router itself is accepted, for IPv6 needs it to find neighbours.
    """
    if ipv6 is None or ipv6.box is None:
        return ""
    forward = [
        "type filter hook forward priority filter; policy drop;",
        f'iifname != "{OUTSIDE}" oifname != "{OUTSIDE}" accept',
        *(["meta l4proto udp drop"] if ipv6.box.udp_blocked else []),
        f'iifname != "{OUTSIDE}" oifname "{OUTSIDE}" accept',
        "ct state established,related accept",
    ]
    inwards = ["type filter hook input priority filter; policy drop;", "meta l4proto icmpv6 accept"]
    chains = [_chain("forward", *forward), _chain("input", *inwards)]
    return "\n".join(["table ip6 jamlab {", *chains, "}", ""])


_INPUT = "  chain input { type filter hook input priority filter; policy drop; }"


def _looks_up(box: NatType | FirewallType) -> bool:
    """Return whether the box needs tables besides the kernel's connection tracking."""
    hairpins = isinstance(box, NatType) and box.hairpinning
    symmetric = isinstance(box, NatType) and box.mapping is Mapping.APDM
    return not symmetric and (hairpins or box.filtering is not Filtering.APDF)


_REMOTE = {
    Filtering.EIF: ("", "", "", ""),
    Filtering.ADF: (" . ipv4_addr", " . ip daddr", " . ip saddr", " . ip daddr"),
    Filtering.APDF: (
        " . ipv4_addr . inet_service",
        " . ip daddr . udp dport",
        " . ip saddr . udp sport",
        " . ip daddr . udp sport",
    ),
}
"""The remote part of a filter's key: its type, and its place in an outgoing, an incoming and a
hairpinned packet; the last will get its destination as its source."""


def _keys(box: NatType | FirewallType) -> tuple[str, str, str, str]:
    """Return the key of ``admitted``: its type, and its place in the same three packets."""
    own = ("inet_service", "udp sport", "udp dport", "udp dport")
    if isinstance(box, FirewallType):
        source, destination = (f"ip {end}addr . udp {end}port" for end in "sd")
        own = ("ipv4_addr . inet_service", source, destination, destination)
    kind, outgoing, incoming, turning = (
        mine + theirs for mine, theirs in zip(own, _REMOTE[box.filtering], strict=True)
    )
    return kind, outgoing, incoming, turning


def _maps_ports(box: NatType | FirewallType) -> bool:
    return isinstance(box, NatType) and box.port_mapping


def _tables(box: NatType | FirewallType) -> Iterator[str]:
    if _maps_ports(box):
        address = "ipv4_addr . inet_service"
        yield f"  map {MAPPED_IN} {{ type inet_service : {address}; }}"
        yield f"  map {MAPPED_OUT} {{ type {address} : {address}; }}"
    if not _looks_up(box):
        return
    options = f"flags dynamic,timeout; timeout {int(_udp_lifetime_s(box))}s; size 65535;"
    yield f"  set admitted {{ type {_keys(box)[0]}; {options} }}"
    if isinstance(box, NatType):
        yield f"  map bindings {{ type inet_service : ipv4_addr . inet_service; {options} }}"


def _updates(box: NatType | FirewallType, key: str, end: str) -> Iterator[str]:
    """Yield rules that add or refresh table entries."""
    if _looks_up(box):
        yield f"update @admitted {{ {key} }}"
        if isinstance(box, NatType):
            yield f"update @bindings {{ udp {end}port : ip {end}addr . udp {end}port }}"


def _note(box: NatType | FirewallType) -> str:
    return _chain("note", *_updates(box, _keys(box)[1], "s"))


def _let_in(box: NatType | FirewallType) -> str:
    updates = _updates(box, _keys(box)[2], "d") if box.inbound_refresh else ()
    return _chain("let_in", *(f"meta l4proto udp {update}" for update in updates), "accept")


def _forward(box: NatType | FirewallType) -> str:
    outgoing = f'iifname != "{OUTSIDE}" oifname "{OUTSIDE}"'
    rules = [
        "type filter hook forward priority filter; policy drop;",
        f'iifname != "{OUTSIDE}" oifname != "{OUTSIDE}" accept',
    ]
    if isinstance(box, FirewallType) and box.udp_blocked:
        rules.append("meta l4proto udp drop")
    rules += [
        f"{outgoing} meta l4proto udp jump note",
        f"{outgoing} accept",
        "ct state established,related jump let_in",
    ]
    if _looks_up(box) or _maps_ports(box):
        known = "ct status dnat" if isinstance(box, NatType) else f"{_keys(box)[2]} @admitted"
        rules.append(f"{known} jump let_in")
    return _chain("forward", *rules)


def _translation(nat: NatType, public: str) -> Iterator[str]:
    _, _, incoming, turning = _keys(nat)
    inwards = "@admitted dnat ip to udp dport map @bindings"
    dstnat, srcnat = [], []
    if nat.port_mapping:
        dstnat.append(f'iifname "{OUTSIDE}" meta l4proto udp dnat ip to udp dport map @{MAPPED_IN}')
        srcnat.append(
            f'oifname "{OUTSIDE}" meta l4proto udp snat ip to ip saddr . udp sport '
            f"map @{MAPPED_OUT}"
        )
    if nat.hairpinning:
        turns = f'iifname != "{OUTSIDE}" ip daddr {public} meta l4proto udp'
        yield _chain(
            "hairpin",
            "type filter hook prerouting priority dstnat - 10;",
            f"{turns} jump note",
            f"{turns} meta mark set 1",
        )
        dstnat.append(f"meta mark 1 {turning} {inwards}")
        srcnat.append(f"meta mark 1 snat ip to {public}")
    if _looks_up(nat):
        dstnat.append(f'iifname "{OUTSIDE}" {incoming} {inwards}')
    random = " fully-random" if nat.port_allocation is PortAllocation.RANDOM else ""
    srcnat.append(f'oifname "{OUTSIDE}" snat ip to {public}{random}')
    yield _chain("dstnat", "type nat hook prerouting priority dstnat;", *dstnat)
    yield _chain("srcnat", "type nat hook postrouting priority srcnat;", *srcnat)


def _chain(name: str, *rules: str) -> str:
    return "\n".join([f"  chain {name} {{", *(f"    {rule}" for rule in rules), "  }"])
