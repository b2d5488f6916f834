"""Boxes and topologies for tests of the kernel's lab."""

from hypothesis import strategies as st

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import (
    FULL_CONE,
    PRESETS,
    Filtering,
    FirewallType,
    Mapping,
    NatType,
    Pooling,
    PortAllocation,
)
from jamlab.networks.model.topology import HostConfig, LanConfig, Topology

LIFETIMES_S = st.sampled_from([300.0, 0.5, 1.0, 20.0, 2.5, 1e7, float("inf")])

ANY_NAT = st.builds(
    NatType,
    st.sampled_from(Mapping),
    st.sampled_from(Filtering),
    st.sampled_from(PortAllocation),
    pooling=st.sampled_from(Pooling),
    mapping_lifetime_s=LIFETIMES_S,
    filtering_lifetime_s=LIFETIMES_S,
    tcp_lifetime_s=LIFETIMES_S,
    inbound_refresh=st.booleans(),
    hairpinning=st.booleans(),
)
ANY_FIREWALL = st.builds(
    FirewallType,
    st.sampled_from(Filtering),
    lifetime_s=LIFETIMES_S,
    tcp_lifetime_s=LIFETIMES_S,
    inbound_refresh=st.booleans(),
    udp_blocked=st.booleans(),
)


@st.composite
def kernel_nats(draw):
    """A NAT that the kernel can be."""
    preset = draw(st.sampled_from([*PRESETS.values()]))
    lifetime_s, refresh = draw(st.sampled_from([(300.0, False), (300.0, True), (7.0, True)]))
    return NatType(
        preset.mapping,
        preset.filtering,
        preset.port_allocation,
        mapping_lifetime_s=lifetime_s,
        filtering_lifetime_s=lifetime_s,
        tcp_lifetime_s=draw(st.sampled_from([60.0, 7440.0])),
        inbound_refresh=refresh,
        hairpinning=preset.mapping is Mapping.EIM and draw(st.booleans()),
    )


KERNEL_FIREWALLS = st.builds(
    FirewallType,
    st.sampled_from(Filtering),
    inbound_refresh=st.booleans(),
    udp_blocked=st.booleans(),
)


@st.composite
def kernel_topologies(draw):
    """A topology that the kernel can be: networks up to three deep, with one to three boxes."""
    names = (f"n{number}" for number in range(1000))

    def member(depth, outside_has_ipv6):
        ipv6 = draw(st.sampled_from([None, *IPV6])) if outside_has_ipv6 else None
        if depth == 0 or draw(st.booleans()):
            return HostConfig(next(names), addresses=draw(st.integers(1, 3)), ipv6=bool(ipv6))
        boxes = draw(st.lists(KERNEL_FIREWALLS, max_size=2))
        if not boxes or draw(st.booleans()):
            boxes.insert(draw(st.integers(0, len(boxes))), draw(kernel_nats()))
        if lifetimes(boxes[0]) != lifetimes(FirewallType()):
            ipv6 = ipv6 and Ipv6Firewall.NONE
        inside = members(depth - 1, ipv6 is not None)
        return LanConfig(next(names), inside, tuple(boxes), ipv6=ipv6)

    def members(depth, ipv6):
        return tuple(member(depth, ipv6) for _ in range(draw(st.integers(1, 3))))

    return Topology(members(3, draw(st.booleans())))


IPV6 = (Ipv6Firewall.NONE, Ipv6Firewall.STATEFUL, Ipv6Firewall.CLOSED)


def lifetimes(box):
    udp_s = box.mapping_lifetime_s if isinstance(box, NatType) else box.lifetime_s
    return udp_s, box.tcp_lifetime_s


def home(name, *layers):
    """A host in networks of its own, whose boxes are given from the inside out."""
    member = HostConfig(name)
    for number, boxes in enumerate(layers):
        member = LanConfig(f"{name}-{number}", (member,), boxes)
    return member


HOME = Topology(
    (
        HostConfig("stun", addresses=2),
        LanConfig("home", (HostConfig("ada"), HostConfig("eve")), (FULL_CONE,)),
    )
)
