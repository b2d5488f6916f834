"""Boxes and topologies for tests of the kernel's lab."""

from hypothesis import strategies as st

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

    def member(depth):
        if depth == 0 or draw(st.booleans()):
            return HostConfig(next(names), addresses=draw(st.integers(1, 3)))
        boxes = draw(st.lists(KERNEL_FIREWALLS, max_size=2))
        if not boxes or draw(st.booleans()):
            boxes.insert(draw(st.integers(0, len(boxes))), draw(kernel_nats()))
        return LanConfig(next(names), members(depth - 1), tuple(boxes))

    def members(depth):
        return tuple(member(depth) for _ in range(draw(st.integers(1, 3))))

    return Topology(members(3))


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
