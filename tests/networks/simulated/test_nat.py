"""The simulated NAT against RFC 4787, requirement by requirement, and against its definitions.

REQ-7 (addresses of the inside network), REQ-10 (ALGs), REQ-12 (ICMP), REQ-13 and REQ-14 (fragments)
are about what does not exist here.
"""

import random
from itertools import product
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from jamlab.networks.model.nat_behaviour import (
    FULL_CONE,
    PORT_RESTRICTED,
    SYMMETRIC,
    Filtering,
    Mapping,
    NatType,
    Pooling,
    PortAllocation,
)
from jamlab.networks.model.packet import TCP, UDP, Packet
from jamlab.networks.simulated import ports
from jamlab.networks.simulated.nat import Nat
from tests.examples import examples
from tests.networks.naive import NaiveNat

PUBLIC = "198.51.100.1"
POOL = ("198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4")
INSIDE = ("10.0.0.1", 5000)
NEIGHBOUR = ("10.0.0.2", 5000)
SERVER = ("192.0.2.1", 3478)
OTHER_PORT = ("192.0.2.1", 3479)
OTHER_HOST = ("192.0.2.2", 3478)
ALL_ALLOCATIONS = pytest.mark.parametrize("allocation", PortAllocation)
ALL_MAPPINGS = pytest.mark.parametrize("mapping", Mapping)
ALL_FILTERINGS = pytest.mark.parametrize("filtering", Filtering)


def nat_of(nat_type, hosts=(PUBLIC,), seed=1):
    return Nat(nat_type, hosts, random.Random(seed))


def outside_of(nat, source, destination, now_s=0.0, transport=UDP):
    """Send from inside, and return where that seems to come from."""
    packet = nat.outgoing(Packet(source, destination, b"hello", transport), now_s)
    return packet and packet.source


def inside_of(nat, source, destination, now_s=0.0, transport=UDP):
    """Send from outside, and return who gets it."""
    packet = nat.incoming(Packet(source, destination, b"hello", transport), now_s)
    return packet and packet.destination


class TestMapping:
    """Section 4.1."""

    @ALL_ALLOCATIONS
    @ALL_FILTERINGS
    def test_endpoint_independent(self, filtering, allocation):
        """REQ-1: a NAT MUST have an "Endpoint-Independent Mapping" behavior."""
        nat = nat_of(NatType(Mapping.EIM, filtering, allocation))
        destinations = (SERVER, OTHER_PORT, OTHER_HOST)
        assert len({outside_of(nat, INSIDE, destination) for destination in destinations}) == 1

    @ALL_ALLOCATIONS
    def test_address_dependent(self, allocation):
        nat = nat_of(NatType(Mapping.ADM, Filtering.APDF, allocation))
        outside = outside_of(nat, INSIDE, SERVER)
        assert outside_of(nat, INSIDE, OTHER_PORT) == outside
        assert outside_of(nat, INSIDE, OTHER_HOST) != outside
        assert outside_of(nat, INSIDE, SERVER) == outside

    @ALL_ALLOCATIONS
    def test_address_and_port_dependent(self, allocation):
        nat = nat_of(NatType(Mapping.APDM, Filtering.APDF, allocation))
        destinations = (SERVER, OTHER_PORT, OTHER_HOST)
        outsides = [outside_of(nat, INSIDE, destination) for destination in destinations]
        assert len(set(outsides)) == 3
        assert [outside_of(nat, INSIDE, destination) for destination in destinations] == outsides

    @ALL_MAPPINGS
    def test_inside_addresses_do_not_share(self, mapping):
        nat = nat_of(NatType(mapping, Filtering.EIF))
        sources = (INSIDE, NEIGHBOUR, ("10.0.0.1", 5001))
        assert len({outside_of(nat, source, SERVER) for source in sources}) == 3

    @ALL_MAPPINGS
    def test_transports_do_not_share(self, mapping):
        """RFC 7857, "EIM Protocol Independence": SHOULD be for one transport."""
        nat = nat_of(NatType(mapping, Filtering.EIF))
        outside = outside_of(nat, INSIDE, SERVER, transport=UDP)
        assert inside_of(nat, SERVER, outside, transport=TCP) is None
        assert outside_of(nat, NEIGHBOUR, SERVER, transport=TCP) == outside
        assert inside_of(nat, SERVER, outside, transport=TCP) == NEIGHBOUR
        assert inside_of(nat, SERVER, outside, transport=UDP) == INSIDE

    def test_the_rest_of_the_packet_stays(self):
        nat = nat_of(FULL_CONE)
        for transport in (UDP, TCP):
            out = nat.outgoing(Packet(INSIDE, SERVER, b"out", transport), 0.0)
            assert out == Packet((PUBLIC, 5000), SERVER, b"out", transport)
            back = nat.incoming(Packet(OTHER_HOST, (PUBLIC, 5000), b"back", transport), 0.0)
            assert back == Packet(OTHER_HOST, INSIDE, b"back", transport)


class TestPooling:
    """REQ-2: it is RECOMMENDED that a NAT have an "IP address pooling" behavior of "Paired"."""

    def hosts_of(self, pooling, inside_host, seed):
        nat = nat_of(NatType(Mapping.APDM, Filtering.APDF, pooling=pooling), POOL, seed)
        flows = product((5000, 5001, 5002), (SERVER, OTHER_PORT, OTHER_HOST), (UDP, TCP))
        return {
            outside_of(nat, (inside_host, port), destination, transport=transport)[0]
            for port, destination, transport in flows
        }

    @given(st.integers())
    def test_paired(self, seed):
        assert len(self.hosts_of(Pooling.PAIRED, "10.0.0.1", seed)) == 1

    def test_paired_outlives_the_mappings(self):
        nat = nat_of(NatType(Mapping.EIM, Filtering.EIF, mapping_lifetime_s=1.0), POOL)
        hosts = {outside_of(nat, INSIDE, SERVER, float(now_s))[0] for now_s in range(20)}
        assert len(hosts) == 1

    def test_paired_uses_the_whole_pool(self):
        nat = nat_of(FULL_CONE, POOL)
        sources = [(f"10.0.0.{k}", 5000) for k in range(1, 60)]
        assert {outside_of(nat, source, SERVER)[0] for source in sources} == set(POOL)

    def test_arbitrary(self):
        assert self.hosts_of(Pooling.ARBITRARY, "10.0.0.1", 1) == set(POOL)

    def test_each_host_is_asked_for_its_own(self):
        """The same port on two public hosts is two addresses."""
        nat = nat_of(FULL_CONE, POOL)
        sources = [(f"10.0.0.{k}", 5000) for k in range(1, 60)]
        outsides = {source: outside_of(nat, source, SERVER) for source in sources}
        assert len(set(outsides.values())) == len(sources)
        assert sum(port == 5000 for _, port in outsides.values()) == len(POOL)
        for source, outside in outsides.items():
            assert inside_of(nat, SERVER, outside) == source


class TestPortAssignment:
    """Section 4.2."""

    @ALL_ALLOCATIONS
    @ALL_MAPPINGS
    def test_no_overloading(self, mapping, allocation):
        """REQ-3: a NAT MUST NOT have a "Port assignment" behavior of "Port overloading"."""
        nat = nat_of(NatType(mapping, Filtering.EIF, allocation))
        sources = [(f"10.0.{k // 200}.{k % 200}", 5000) for k in range(1000)]
        outsides = [outside_of(nat, source, SERVER) for source in sources]
        assert len(set(outsides)) == len(sources)
        assert [inside_of(nat, SERVER, outside) for outside in outsides] == sources

    @ALL_ALLOCATIONS
    @pytest.mark.parametrize("port", [1, 1023, 1024, 40000, 65535])
    def test_range(self, allocation, port):
        """REQ-3a: a source port in 1024-65535 stays in that range; so do all others here."""
        nat = nat_of(NatType(Mapping.APDM, Filtering.EIF, allocation))
        for k in range(200):
            assert 1024 <= outside_of(nat, ("10.0.0.1", port), ("192.0.2.1", 1000 + k))[1] <= 65535

    @given(st.integers(1024, 65535))
    def test_preservation(self, port):
        """REQ-4: preservation of parity, for it preserves all of the port."""
        nat = nat_of(PORT_RESTRICTED)
        assert outside_of(nat, ("10.0.0.1", port), SERVER) == (PUBLIC, port)

    @given(st.integers(1024, 65535), st.integers())
    def test_preservation_yields_to_who_was_first(self, port, seed):
        nat = nat_of(PORT_RESTRICTED, seed=seed)
        first, second = ("10.0.0.1", port), ("10.0.0.2", port)
        assert outside_of(nat, first, SERVER) == (PUBLIC, port)
        elsewhere = outside_of(nat, second, SERVER)
        assert elsewhere != (PUBLIC, port)
        assert outside_of(nat, second, OTHER_HOST) == elsewhere
        assert outside_of(nat, first, OTHER_HOST) == (PUBLIC, port)

    def test_a_port_is_preserved_once_its_holder_has_expired(self):
        nat = nat_of(PORT_RESTRICTED)
        assert outside_of(nat, INSIDE, SERVER, 0.0) == (PUBLIC, 5000)
        assert outside_of(nat, NEIGHBOUR, SERVER, 299.0) != (PUBLIC, 5000)
        assert outside_of(nat, ("10.0.0.3", 5000), SERVER, 300.0) == (PUBLIC, 5000)
        assert inside_of(nat, SERVER, (PUBLIC, 5000), 300.0) == ("10.0.0.3", 5000)
        assert outside_of(nat, INSIDE, SERVER, 301.0) != (PUBLIC, 5000)

    def test_contiguous(self):
        nat = nat_of(NatType(Mapping.APDM, Filtering.APDF, PortAllocation.CONTIGUOUS))
        made = [outside_of(nat, INSIDE, ("192.0.2.1", 1000 + k))[1] for k in range(100)]
        assert [(port - made[0]) % 64512 for port in made] == list(range(100))

    def test_contiguous_goes_round(self):
        nat = nat_of(NatType(Mapping.APDM, Filtering.APDF, PortAllocation.CONTIGUOUS))
        hosts = (f"192.0.2.{k}" for k in range(2, 4))
        made = [outside_of(nat, INSIDE, (h, p))[1] for h in hosts for p in range(1, 32257)]
        assert sorted(made) == list(range(1024, 65536))

    def test_the_next_holder_of_a_port_does_not_disturb_the_last(self):
        """Who left a port by expiring, and has another since, keeps that one."""
        with few_ports(2):
            nat = nat_of(NatType(Mapping.EIM, Filtering.EIF, PortAllocation.CONTIGUOUS))
            left = outside_of(nat, INSIDE, SERVER, 0.0)
            kept = outside_of(nat, INSIDE, SERVER, 300.0)
            assert kept != left
            assert outside_of(nat, NEIGHBOUR, SERVER, 301.0) == left
            assert outside_of(nat, INSIDE, SERVER, 302.0) == kept
            assert inside_of(nat, SERVER, left, 302.0) == NEIGHBOUR
            assert inside_of(nat, SERVER, kept, 302.0) == INSIDE

    def test_random_ports_are_spread_over_the_range(self):
        """64 equal parts of the range, 100 ports expected in each: chi squared of 63 degrees."""
        nat = nat_of(NatType(Mapping.APDM, Filtering.APDF, PortAllocation.RANDOM))
        made = [outside_of(nat, INSIDE, ("192.0.2.1", 1000 + k))[1] for k in range(6400)]
        counts = [0] * 64
        for port in made:
            counts[(port - 1024) // 1008] += 1
        assert sum((count - 100) ** 2 / 100 for count in counts) < 103.4  # 99.9 %

    @ALL_ALLOCATIONS
    def test_the_seed_decides(self, allocation):
        """REQ-11: a NAT MUST have deterministic behavior; here also from run to run."""
        nat_type = NatType(Mapping.APDM, Filtering.APDF, allocation, pooling=Pooling.ARBITRARY)
        one, again = nat_of(nat_type, POOL, seed=7), nat_of(nat_type, POOL, seed=7)
        for k in range(50):
            destination = ("192.0.2.1", 1000 + k)
            assert outside_of(one, INSIDE, destination) == outside_of(again, INSIDE, destination)


class TestExhaustion:
    @pytest.fixture
    def full(self):
        """A NAT all of whose ports were given out, one a millisecond."""
        nat = nat_of(PORT_RESTRICTED)
        for k in range(64512):
            source = ("10.0.0.1", 1024 + k)
            assert outside_of(nat, source, SERVER, k / 1000) == (PUBLIC, 1024 + k)
        return nat

    def test_no_port_no_packet(self, full):
        assert outside_of(full, NEIGHBOUR, SERVER, 65.0) is None
        assert outside_of(full, NEIGHBOUR, SERVER, 299.9) is None

    def test_mappings_still_work(self, full):
        assert outside_of(full, NEIGHBOUR, SERVER, 65.0) is None
        assert outside_of(full, INSIDE, SERVER, 65.0) == (PUBLIC, 5000)
        assert inside_of(full, SERVER, (PUBLIC, 5000), 65.0) == INSIDE

    def test_the_other_transport_has_ports(self, full):
        assert outside_of(full, NEIGHBOUR, SERVER, 65.0, TCP) == (PUBLIC, 5000)

    def test_the_first_to_expire_makes_room(self, full):
        assert outside_of(full, NEIGHBOUR, SERVER, 299.9) is None
        assert outside_of(full, NEIGHBOUR, SERVER, 300.0) == (PUBLIC, 1024)
        assert outside_of(full, ("10.0.0.3", 5000), SERVER, 300.0) is None
        assert outside_of(full, ("10.0.0.3", 5000), SERVER, 300.001) == (PUBLIC, 1025)

    def test_a_refreshed_mapping_makes_none(self, full):
        assert outside_of(full, ("10.0.0.1", 1024), SERVER, 299.0) == (PUBLIC, 1024)
        assert outside_of(full, NEIGHBOUR, SERVER, 300.0) is None
        assert outside_of(full, NEIGHBOUR, SERVER, 300.001) == (PUBLIC, 1025)

    def test_arbitrary_pooling_tries_the_other_hosts(self):
        with few_ports(2):
            nat = nat_of(NatType(Mapping.EIM, Filtering.EIF, pooling=Pooling.ARBITRARY), POOL)
            outsides = [outside_of(nat, (f"10.0.0.{k}", 5000), SERVER) for k in range(9)]
        assert len(set(outsides[:8])) == 8
        assert {host for host, _ in outsides[:8]} == set(POOL)
        assert outsides[8] is None

    def test_paired_pooling_does_not(self):
        with few_ports(2):
            nat = nat_of(FULL_CONE, POOL)
            outsides = [outside_of(nat, ("10.0.0.1", port), SERVER) for port in (5000, 5001, 5002)]
        assert outsides[0][0] == outsides[1][0]
        assert outsides[2] is None


class TestLifetime:
    """Section 4.3."""

    @ALL_FILTERINGS
    @ALL_MAPPINGS
    def test_default(self, mapping, filtering):
        """REQ-5, c: a mapping timer of five minutes or more is RECOMMENDED, two are a MUST."""
        nat = nat_of(NatType(mapping, filtering))
        outside = outside_of(nat, INSIDE, SERVER, 1000.0)
        assert inside_of(nat, SERVER, outside, 1299.9) == INSIDE
        assert inside_of(nat, SERVER, outside, 1300.0) is None

    @ALL_FILTERINGS
    def test_configured(self, filtering):
        """REQ-5b: the value of the NAT UDP mapping timer MAY be configurable."""
        nat = nat_of(NatType(Mapping.EIM, filtering, PortAllocation.RANDOM, mapping_lifetime_s=30))
        outside = outside_of(nat, INSIDE, SERVER, 0.0)
        assert outside_of(nat, INSIDE, OTHER_HOST, 29.9) == outside
        assert outside_of(nat, INSIDE, OTHER_HOST, 59.9) != outside

    def test_tcp(self):
        """RFC 5382 REQ-5: 2 hours 4 minutes."""
        nat = nat_of(SYMMETRIC)
        outside = outside_of(nat, INSIDE, SERVER, 0.0, TCP)
        assert inside_of(nat, SERVER, outside, 7439.9, TCP) == INSIDE
        assert inside_of(nat, SERVER, outside, 7440.0, TCP) is None

    def test_outbound_refresh(self):
        """REQ-6: the mapping MUST have a "NAT Outbound refresh behavior" of "True"."""
        nat = nat_of(PORT_RESTRICTED)
        for now_s in range(0, 3000, 299):
            assert outside_of(nat, INSIDE, SERVER, float(now_s)) == (PUBLIC, 5000)
        assert inside_of(nat, SERVER, (PUBLIC, 5000), now_s + 299.0) == INSIDE

    @ALL_FILTERINGS
    @pytest.mark.parametrize("inbound_refresh", [False, True])
    def test_inbound_refresh(self, filtering, inbound_refresh):
        """REQ-6a: it MAY have a "NAT Inbound refresh behavior" of "True"."""
        nat = nat_of(NatType(Mapping.EIM, filtering, inbound_refresh=inbound_refresh))
        outside = outside_of(nat, INSIDE, SERVER, 0.0)
        assert inside_of(nat, SERVER, outside, 200.0) == INSIDE
        assert (inside_of(nat, SERVER, outside, 400.0) == INSIDE) is inbound_refresh

    def test_what_is_filtered_refreshes_nothing(self):
        """Section 4.3: else anybody outside could keep a mapping."""
        nat = nat_of(NatType(Mapping.EIM, Filtering.APDF, inbound_refresh=True))
        outside = outside_of(nat, INSIDE, SERVER, 0.0)
        assert inside_of(nat, OTHER_HOST, outside, 200.0) is None
        assert inside_of(nat, SERVER, outside, 300.0) is None

    def test_filters_go_with_their_mapping(self):
        """The next mapping of the same address has filters of its own."""
        nat = nat_of(
            NatType(Mapping.EIM, Filtering.APDF, mapping_lifetime_s=10, filtering_lifetime_s=100)
        )
        assert outside_of(nat, INSIDE, SERVER, 0.0) == (PUBLIC, 5000)
        assert outside_of(nat, INSIDE, OTHER_HOST, 10.0) == (PUBLIC, 5000)
        assert inside_of(nat, SERVER, (PUBLIC, 5000), 10.0) is None
        assert inside_of(nat, OTHER_HOST, (PUBLIC, 5000), 10.0) == INSIDE

    @pytest.mark.parametrize(
        ("filtering", "still"), [(Filtering.EIF, True), (Filtering.ADF, True), ("APDF", False)]
    )
    def test_filters_have_a_lifetime_of_their_own(self, filtering, still):
        """Another port of the same host counts for ADF, and anything for EIF."""
        nat = nat_of(NatType(Mapping.EIM, Filtering(filtering), filtering_lifetime_s=60))
        outside = outside_of(nat, INSIDE, SERVER, 0.0)
        outside_of(nat, INSIDE, OTHER_PORT, 59.0)
        assert (inside_of(nat, SERVER, outside, 60.0) == INSIDE) is still
        assert inside_of(nat, OTHER_PORT, outside, 118.0) == INSIDE
        assert inside_of(nat, OTHER_PORT, outside, 119.0) is None
        assert outside_of(nat, INSIDE, SERVER, 119.0) == outside

    @given(st.sampled_from(Mapping), st.sampled_from(Filtering), st.floats(-1e9, 1e9))
    def test_the_origin_of_time_does_not_matter(self, mapping, filtering, origin_s):
        nat = nat_of(NatType(mapping, filtering))
        outside = outside_of(nat, INSIDE, SERVER, origin_s)
        assert inside_of(nat, SERVER, outside, origin_s + 299.0) == INSIDE
        assert inside_of(nat, SERVER, outside, origin_s + 301.0) is None


class TestFiltering:
    """Section 5; REQ-8 recommends EIF, or ADF, and REQ-8a lets the administrator choose."""

    LETS_IN = (
        (Filtering.EIF, {SERVER, OTHER_PORT, OTHER_HOST}),
        (Filtering.ADF, {SERVER, OTHER_PORT}),
        (Filtering.APDF, {SERVER}),
    )

    @ALL_MAPPINGS
    @pytest.mark.parametrize(("filtering", "welcome"), LETS_IN)
    def test_after_one_packet(self, mapping, filtering, welcome):
        nat = nat_of(NatType(mapping, filtering))
        outside = outside_of(nat, INSIDE, SERVER)
        for source in (SERVER, OTHER_PORT, OTHER_HOST):
            assert (inside_of(nat, source, outside) == INSIDE) is (source in welcome)

    @ALL_FILTERINGS
    def test_nothing_was_sent(self, filtering):
        nat = nat_of(NatType(Mapping.EIM, filtering))
        for transport in (UDP, TCP):
            assert inside_of(nat, SERVER, (PUBLIC, 5000), transport=transport) is None

    @ALL_FILTERINGS
    def test_other_addresses_lead_nowhere(self, filtering):
        nat = nat_of(NatType(Mapping.EIM, filtering))
        assert outside_of(nat, INSIDE, SERVER) == (PUBLIC, 5000)
        assert inside_of(nat, SERVER, (PUBLIC, 5001)) is None
        assert inside_of(nat, SERVER, ("198.51.100.9", 5000)) is None
        assert inside_of(nat, SERVER, INSIDE) is None

    @pytest.mark.parametrize("filtering", [Filtering.ADF, Filtering.APDF])
    def test_one_mapping_does_not_open_another(self, filtering):
        nat = nat_of(NatType(Mapping.APDM, filtering))
        to_server = outside_of(nat, INSIDE, SERVER)
        to_other = outside_of(nat, INSIDE, OTHER_HOST)
        assert inside_of(nat, OTHER_HOST, to_server) is None
        assert inside_of(nat, SERVER, to_other) is None
        neighbours = outside_of(nat, NEIGHBOUR, OTHER_HOST)
        assert inside_of(nat, SERVER, neighbours) is None

    @ALL_FILTERINGS
    def test_the_behaviour_does_not_change(self, filtering):
        """REQ-11: it MUST NOT change the Filtering, here not even when a port was refused."""
        nat = nat_of(NatType(Mapping.EIM, filtering))
        outside_of(nat, INSIDE, SERVER)
        outside = outside_of(nat, NEIGHBOUR, SERVER)
        welcome = dict(self.LETS_IN)[filtering]
        for source in (SERVER, OTHER_PORT, OTHER_HOST):
            assert (inside_of(nat, source, outside) == NEIGHBOUR) is (source in welcome)


class TestHairpinning:
    """REQ-9: a NAT MUST support "Hairpinning"."""

    def hairpin(self, nat, source, destination, now_s=0.0):
        """What the router does with a packet for one of the NAT's own hosts."""
        packet = nat.outgoing(Packet(source, destination, b"hello"), now_s)
        assert packet.destination[0] in nat.public_hosts
        return nat.incoming(packet, now_s) if nat.hairpinning else None

    @ALL_FILTERINGS
    def test_both_send(self, filtering):
        """REQ-9a: the behavior MUST be "External source IP address and port"."""
        nat = nat_of(NatType(Mapping.EIM, filtering, hairpinning=True))
        mine, theirs = outside_of(nat, INSIDE, SERVER), outside_of(nat, NEIGHBOUR, SERVER)
        first = self.hairpin(nat, INSIDE, theirs)
        assert first == (Packet(mine, NEIGHBOUR, b"hello") if filtering is Filtering.EIF else None)
        assert self.hairpin(nat, NEIGHBOUR, mine) == Packet(theirs, INSIDE, b"hello")
        assert self.hairpin(nat, INSIDE, theirs) == Packet(mine, NEIGHBOUR, b"hello")

    def test_to_oneself(self):
        nat = nat_of(NatType(Mapping.EIM, Filtering.APDF, hairpinning=True))
        mine = outside_of(nat, INSIDE, SERVER)
        assert self.hairpin(nat, INSIDE, mine) == Packet(mine, INSIDE, b"hello")

    def test_without(self):
        nat = nat_of(FULL_CONE)
        assert not nat.hairpinning
        assert self.hairpin(nat, INSIDE, outside_of(nat, NEIGHBOUR, SERVER)) is None


class TestPublicHosts:
    @pytest.mark.parametrize("hosts", [(), [], "198.51.100.1"])
    def test_none(self, hosts):
        with pytest.raises(ValueError, match=r"public_hosts of a NAT is .*: give a list"):
            nat_of(FULL_CONE, hosts)

    def test_twice(self):
        with pytest.raises(ValueError, match="public_hosts of a NAT has a host twice"):
            nat_of(FULL_CONE, [PUBLIC, POOL[1], PUBLIC])

    def test_as_given(self):
        assert nat_of(FULL_CONE, list(POOL)).public_hosts == POOL


def few_ports(count):
    """Leave the NATs made and used inside only the first ports of their range."""
    return mock.patch.multiple(ports, HIGHEST=1023 + count, PORT_COUNT=count)


INSIDES = st.tuples(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]), st.integers(1023, 1026))
REMOTES = st.tuples(st.sampled_from(["192.0.2.1", "192.0.2.2"]), st.integers(1, 3))
TRANSPORTS = st.sampled_from([UDP, UDP, UDP, TCP])
TYPES = st.builds(
    NatType,
    st.sampled_from(Mapping),
    st.sampled_from(Filtering),
    st.sampled_from(PortAllocation),
    pooling=st.sampled_from(Pooling),
    mapping_lifetime_s=st.sampled_from([2, 5, 10]),
    filtering_lifetime_s=st.sampled_from([2, 5, 10]),
    tcp_lifetime_s=st.sampled_from([3, 20]),
    inbound_refresh=st.booleans(),
)


MAPPING_TYPES = st.builds(
    NatType,
    st.sampled_from(Mapping),
    st.sampled_from(Filtering),
    st.sampled_from(PortAllocation),
    inbound_refresh=st.booleans(),
    port_mapping=st.just(True),
)


class TestPortMapping:
    """A port that was asked for is mapped and filtered endpoint-independently (RFC 4787)."""

    @given(MAPPING_TYPES, st.booleans())
    def test_is_endpoint_independent_in_both_directions(self, nat_type, used_before):
        nat = nat_of(nat_type)
        before = outside_of(nat, INSIDE, SERVER) if used_before else None
        outside = nat.map_port(INSIDE, 60.0, 1.0)
        for remote in (SERVER, OTHER_PORT, OTHER_HOST):
            assert inside_of(nat, remote, outside, 2.0) == INSIDE
            assert outside_of(nat, INSIDE, remote, 3.0) == outside
        if used_before and nat_type.mapping is Mapping.EIM:
            assert outside == before

    @given(MAPPING_TYPES)
    def test_is_for_one_port_alone(self, nat_type):
        nat = nat_of(nat_type)
        outside = nat.map_port(INSIDE, 60.0, 0.0)
        assert outside_of(nat, NEIGHBOUR, SERVER) != outside
        assert nat.map_port(NEIGHBOUR, 60.0, 0.0) != outside

    @given(MAPPING_TYPES)
    def test_lasts_as_long_as_it_was_asked_for_and_is_renewed(self, nat_type):
        nat = nat_of(nat_type)
        outside = nat.map_port(INSIDE, 1000.0, 0.0)
        assert nat.map_port(INSIDE, 1000.0, 900.0) == outside
        assert inside_of(nat, OTHER_HOST, outside, 1899.0) == INSIDE
        assert inside_of(nat, OTHER_HOST, outside, 1901.0 + nat_type.mapping_lifetime_s) is None

    @given(MAPPING_TYPES)
    def test_that_ends_leaves_an_ordinary_binding(self, nat_type):
        """Whoever was sent to may still answer, unless the NAT would have forgotten by now."""
        nat = nat_of(nat_type)
        outside = nat.map_port(INSIDE, 60.0, 0.0)
        outside_of(nat, INSIDE, SERVER, 50.0)
        nat.unmap_port(INSIDE, 55.0)
        assert inside_of(nat, SERVER, outside, 56.0) == INSIDE
        welcome = nat_type.filtering is Filtering.EIF
        assert (inside_of(nat, OTHER_HOST, outside, 57.0) == INSIDE) is welcome
        assert inside_of(nat, SERVER, outside, 1000.0) is None

    def test_is_not_for_every_router(self):
        nat = nat_of(PORT_RESTRICTED)
        assert nat.map_port(INSIDE, 60.0, 0.0) is None
        nat.unmap_port(INSIDE, 0.0)
        assert outside_of(nat, INSIDE, SERVER) == (PUBLIC, INSIDE[1])

    def test_is_lost_with_the_power(self):
        nat = nat_of(NatType(Mapping.EIM, Filtering.EIF, port_mapping=True))
        outside = nat.map_port(INSIDE, 60.0, 0.0)
        nat.reboot()
        assert inside_of(nat, SERVER, outside, 1.0) is None

    @ALL_ALLOCATIONS
    def test_needs_a_free_port(self, allocation):
        nat = nat_of(NatType(Mapping.EIM, Filtering.EIF, allocation, port_mapping=True))
        with few_ports(1):
            assert nat.map_port(INSIDE, 60.0, 0.0) is not None
            assert nat.map_port(NEIGHBOUR, 60.0, 0.0) is None
            assert nat.map_port(INSIDE, 60.0, 0.0) is not None


class NatAgainstDefinition(RuleBasedStateMachine):
    """The NAT, and a list of all mappings ever made, each with all that happened to it.

    Times are halves of seconds, so sums and differences are exact. The range of ports is small, so
    that they run out.
    """

    @initialize(
        nat_type=TYPES, hosts=st.integers(1, 2), port_count=st.integers(1, 9), seed=st.integers()
    )
    def start(self, nat_type, hosts, port_count, seed):
        self.now_s = 0.0
        self.few_ports = few_ports(port_count)
        self.few_ports.start()
        self.nat = nat_of(nat_type, POOL[:hosts], seed)
        self.naive = NaiveNat(nat_type, POOL[:hosts], range(1024, 1024 + port_count))

    def teardown(self):
        mock.patch.stopall()

    @rule(halves=st.integers(1, 12))
    def wait(self, halves):
        self.now_s += halves / 2

    @rule(source=INSIDES, destination=REMOTES, transport=TRANSPORTS)
    def send(self, source, destination, transport):
        packet = Packet(source, destination, b"out", transport)
        sent = self.nat.outgoing(packet, self.now_s)
        if self.naive.used_by(packet, self.now_s) is None:
            if sent is None:
                self.check_exhausted(packet)
                return
            assert self.naive.may_get(packet, sent.source, self.now_s)
            self.naive.add(packet, sent.source, self.now_s)
        assert sent == self.naive.outgoing(packet, self.now_s)

    def check_exhausted(self, packet):
        for host in self.naive.hosts_for(packet):
            assert self.naive.ports_for(packet, host, self.now_s) == []

    @precondition(lambda self: self.naive.mappings)
    @rule(data=st.data(), source=REMOTES)
    def answer(self, data, source):
        """To one of the mappings, old or new, from somebody it may have sent to."""
        mapping = data.draw(st.sampled_from(self.naive.mappings))
        self.receive(source, mapping.outside, mapping.transport)

    @rule(
        source=REMOTES,
        destination=st.tuples(st.sampled_from(POOL[:3]), st.integers(1024, 1035)),
        transport=TRANSPORTS,
    )
    def receive(self, source, destination, transport):
        packet = Packet(source, destination, b"in", transport)
        assert self.nat.incoming(packet, self.now_s) == self.naive.incoming(packet, self.now_s)


TestNatAgainstDefinition = NatAgainstDefinition.TestCase
TestNatAgainstDefinition.settings = examples(200, stateful_step_count=40)


class TestMemory:
    def test_expired_bindings_do_not_pile_up(self):
        """A new inside port a second, for ten hours; a mapping lives for two minutes or more."""
        nat = nat_of(PORT_RESTRICTED)
        for second in range(36_000):
            source = ("10.0.0.1", 1024 + second % 60_000)
            assert outside_of(nat, source, SERVER, float(second)) is not None
        held = len(nat._bindings)
        assert held < 3_000
        assert held == sum(len(pool.bindings) for pool in nat._pools.values())

    def test_living_ones_are_kept_however_many(self):
        nat = nat_of(FULL_CONE)
        sources = [("10.0.0.1", port) for port in range(2_000, 7_000)]
        outsides = [outside_of(nat, source, SERVER) for source in sources]
        assert [outside_of(nat, source, SERVER, 1.0) for source in sources] == outsides
