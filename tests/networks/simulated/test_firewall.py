"""The firewall against its definition, and in hole punching."""

import math
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.nat_behaviour import Filtering, FirewallType, Mapping, NatType
from jamlab.networks.model.packet import TCP, UDP, Packet
from jamlab.networks.model.rule import ALL_TYPES, direct_possible
from jamlab.networks.simulated.firewall import Firewall
from jamlab.networks.simulated.nat import Nat
from tests.networks.naive import hole_punching

INSIDE = ("203.0.113.1", 5000)
NEIGHBOUR = ("203.0.113.2", 5000)
SERVER = ("192.0.2.1", 3478)
OTHER_PORT = ("192.0.2.1", 3479)
OTHER_HOST = ("192.0.2.2", 3478)
ALL_FILTERINGS = pytest.mark.parametrize("filtering", Filtering)


def out(firewall, source, destination, now_s=0.0, transport=UDP):
    """Send from inside; tell whether it got out, as it was."""
    packet = Packet(source, destination, b"out", transport)
    passed = firewall.outgoing(packet, now_s)
    assert passed in (packet, None)
    return passed is not None


def into(firewall, source, destination, now_s=0.0, transport=UDP):
    """Send from outside; tell whether it got in, as it was."""
    packet = Packet(source, destination, b"in", transport)
    passed = firewall.incoming(packet, now_s)
    assert passed in (packet, None)
    return passed is not None


class TestFiltering:
    @pytest.mark.parametrize(
        ("filtering", "welcome"),
        [
            (Filtering.EIF, {SERVER, OTHER_PORT, OTHER_HOST}),
            (Filtering.ADF, {SERVER, OTHER_PORT}),
            (Filtering.APDF, {SERVER}),
        ],
    )
    def test_after_one_packet(self, filtering, welcome):
        firewall = Firewall(FirewallType(filtering))
        assert out(firewall, INSIDE, SERVER)
        for source in (SERVER, OTHER_PORT, OTHER_HOST):
            assert into(firewall, source, INSIDE) is (source in welcome)

    @ALL_FILTERINGS
    def test_nothing_was_sent_from_there(self, filtering):
        firewall = Firewall(FirewallType(filtering))
        assert not into(firewall, SERVER, INSIDE)
        assert out(firewall, INSIDE, SERVER)
        assert not into(firewall, SERVER, NEIGHBOUR)
        assert not into(firewall, SERVER, (INSIDE[0], 5001))
        assert not into(firewall, SERVER, INSIDE, transport=TCP)

    def test_tcp_lasts_longer(self):
        """RFC 5382 REQ-5: 2 hours 4 minutes."""
        firewall = Firewall(FirewallType())
        for transport, lifetime_s in ((UDP, 300.0), (TCP, 7440.0)):
            assert out(firewall, INSIDE, SERVER, 0.0, transport)
            assert into(firewall, SERVER, INSIDE, lifetime_s - 0.1, transport)
            assert not into(firewall, SERVER, INSIDE, lifetime_s, transport)


class TestUdpBlocked:
    @ALL_FILTERINGS
    def test_tcp_passes(self, filtering):
        firewall = Firewall(FirewallType(filtering, udp_blocked=True))
        assert not out(firewall, INSIDE, SERVER)
        assert not into(firewall, SERVER, INSIDE)
        assert out(firewall, INSIDE, SERVER, transport=TCP)
        assert into(firewall, SERVER, INSIDE, transport=TCP)
        assert not into(firewall, SERVER, INSIDE)

    @pytest.mark.parametrize("inner_first", [True, False])
    def test_in_a_row_with_a_nat(self, inner_first):
        """In whatever order, TCP is translated and UDP is gone."""
        firewall = Firewall(FirewallType(udp_blocked=True))
        nat = Nat(NatType(Mapping.EIM, Filtering.APDF), ["198.51.100.1"], random.Random(1))
        boxes = (firewall, nat) if inner_first else (nat, firewall)
        for transport in (UDP, TCP):
            packet = Packet(("10.0.0.1", 5000), SERVER, b"out", transport)
            for box in boxes:
                packet = packet and box.outgoing(packet, 0.0)
            if transport == UDP:
                assert packet is None
                continue
            assert packet == Packet(("198.51.100.1", 5000), SERVER, b"out", TCP)
            packet = Packet(SERVER, ("198.51.100.1", 5000), b"back", TCP)
            for box in reversed(boxes):
                packet = box.incoming(packet, 0.0)
            assert packet == Packet(SERVER, ("10.0.0.1", 5000), b"back", TCP)


@pytest.mark.parametrize("nat_type", ALL_TYPES)
@ALL_FILTERINGS
def test_hole_punching(filtering, nat_type):
    """A firewall is to others what an endpoint-independent NAT of the same filtering is."""
    nat = nat_type and Nat(nat_type, ["198.51.100.1"], random.Random(1))
    expected = direct_possible(NatType(Mapping.EIM, filtering), nat_type)
    assert hole_punching(Firewall(FirewallType(filtering)), nat) is expected


@pytest.mark.parametrize(("one", "other"), [*product(Filtering, repeat=2)])
def test_hole_punching_between_firewalls(one, other):
    assert hole_punching(Firewall(FirewallType(one)), Firewall(FirewallType(other)))


ADDRESSES = st.tuples(st.sampled_from(["192.0.2.1", "192.0.2.2"]), st.integers(1, 2))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["out", "in", "in"]),
        ADDRESSES,
        ADDRESSES,
        st.sampled_from([UDP, UDP, TCP]),
        st.integers(0, 6),
    ),
    max_size=60,
)


class TestAgainstDefinition:
    """A packet is let in when something that lets it in happened within the lifetime."""

    @given(
        filtering=st.sampled_from(Filtering),
        lifetime_s=st.sampled_from([2, 5, math.inf]),
        tcp_lifetime_s=st.sampled_from([4, 10]),
        inbound_refresh=st.booleans(),
        udp_blocked=st.booleans(),
        steps=STEPS,
    )
    def test_all_that_happened(self, filtering, steps, **options):
        firewall = Firewall(FirewallType(filtering, **options))
        events, now_s = [], 0.0
        for direction, inside, remote, transport, wait in steps:
            now_s += wait / 2
            blocked = options["udp_blocked"] and transport == UDP
            if direction == "out":
                passes = not blocked
                assert out(firewall, inside, remote, now_s, transport) is passes
            else:
                lifetime_s = options["lifetime_s" if transport == UDP else "tcp_lifetime_s"]
                recent = [
                    contacted
                    for at_s, sender, contacted, carrier in events
                    if sender == inside and carrier == transport and now_s - at_s < lifetime_s
                ]
                passes = not blocked and self.lets_in(filtering, recent, remote)
                assert into(firewall, remote, inside, now_s, transport) is passes
            if passes and (direction == "out" or options["inbound_refresh"]):
                events.append((now_s, inside, remote, transport))

    def lets_in(self, filtering, recent, remote):
        return {
            Filtering.EIF: recent != [],
            Filtering.ADF: remote[0] in [host for host, _ in recent],
            Filtering.APDF: remote in recent,
        }[filtering]


class TestFirewallType:
    def test_no_filtering(self):
        with pytest.raises(ValueError, match="filtering of a firewall is 'APDF': give one of"):
            FirewallType("APDF")

    @pytest.mark.parametrize("field", ["lifetime_s", "tcp_lifetime_s"])
    @pytest.mark.parametrize("value", [0, -1.0, math.nan, None])
    def test_no_lifetime(self, field, value):
        with pytest.raises(ValueError, match=f"^{field} of a firewall is .*: give a number"):
            FirewallType(**{field: value})
