"""The simulated router's NAT-PMP server, by the layouts of RFC 6886 section 3."""

import asyncio
import struct
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, Filtering, Mapping, NatType
from jamlab.networks.model.packet import Packet
from jamlab.networks.model.topology import HostConfig, LanConfig
from jamlab.networks.port_mapping.clients import find_nat_pmp, find_pcp
from jamlab.networks.port_mapping.mapper import LIFETIME_S, PortMapper
from jamlab.networks.port_mapping.mapping import MappingProtocol, Route
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.nat import Nat
from jamlab.networks.simulated.nat_pmp import PORT, ROUTER, answer
from tests.networks.simulated.internets import delay, internet, port

CLIENT = ("10.0.0.1", 40000)
STRANGER = ("192.0.2.1", 7)
MAPS = NatType(Mapping.APDM, Filtering.APDF, port_mapping=True)
PUBLIC = "198.51.100.1"


def nat():
    return Nat(MAPS, [PUBLIC], None)


def map_request(inside, wanted=0, lifetime_s=600, opcode=1):
    return struct.pack("!BBHHHI", 0, opcode, 0, inside, wanted, lifetime_s)


class TestAnswer:
    def test_the_address_outside(self):
        """Section 3.2."""
        assert answer(bytes(2), CLIENT, nat(), 7.9) == bytes(
            [0, 128, 0, 0, 0, 0, 0, 7, 198, 51, 100, 1]
        )

    @given(st.integers(1024, 65535), st.integers(1, 2**32 - 1))
    def test_a_mapping(self, inside, lifetime_s):
        """Section 3.3; then everybody is let in."""
        box = nat()
        found = answer(map_request(inside, inside, lifetime_s), CLIENT, box, 5.0)
        assert found == struct.pack("!BBHIHHI", 0, 129, 0, 5, inside, inside, lifetime_s)
        entering = box.incoming(Packet(STRANGER, (PUBLIC, inside), b""), 5.5)
        assert entering.destination == (CLIENT[0], inside)

    def test_a_removal(self):
        """Section 3.4."""
        box = nat()
        answer(map_request(5000), CLIENT, box, 0.0)
        found = answer(map_request(5000, lifetime_s=0), CLIENT, box, 1.0)
        assert found == struct.pack("!BBHIHHI", 0, 129, 0, 1, 5000, 0, 0)
        assert box.incoming(Packet(STRANGER, (PUBLIC, 5000), b""), 2.0) is None

    @pytest.mark.parametrize(
        ("request_", "result"),
        [
            (b"\x02" + bytes(23), 1),  # PCP's ANNOUNCE, RFC 6887 section 14.1
            (map_request(5000, opcode=2), 5),  # TCP
            (bytes([0, 7]), 5),
        ],
    )
    def test_what_it_does_not_do(self, request_, result):
        """Section 3.5."""
        found = answer(request_, CLIENT, nat(), 0.0)
        assert struct.unpack("!BBH", found[:4]) == (0, 128 + request_[1], result)

    @given(st.binary(max_size=30))
    def test_anything(self, data):
        found = answer(data, CLIENT, nat(), 0.0)
        assert found is None or (found[0] == 0 and found[1] >= 128)

    @pytest.mark.parametrize("data", [b"", b"\0", bytes([0, 129]), map_request(1)[:-1]])
    def test_no_request(self, data):
        assert answer(data, CLIENT, nat(), 0.0) is None


class TestRouter:
    def asked(self, *lans, of="alice"):
        """Return what a host behind the first of the networks is answered, and when."""

        async def main():
            net = internet(*lans)
            here = await port(net.host(of), remote=(ROUTER, PORT))
            here.send(map_request(here.address[1], lifetime_s=60), None)
            await asyncio.sleep(1)
            return here, net

        return run_simulated(main())

    def test_answers_over_the_link_of_its_host(self):
        lan = LanConfig("home", (HostConfig("alice", delay(0.01)),), (MAPS,))
        here, net = self.asked(lan)
        ((data, source),) = here.received
        assert source == (ROUTER, PORT)
        assert data[1:4] == bytes([129, 0, 0])
        assert here.times_s == [pytest.approx(0.02)]
        assert not net.lost

    @pytest.mark.parametrize("inner", [PORT_RESTRICTED, MAPS])
    def test_is_the_host_s_own(self, inner):
        """A carrier that maps ports is not asked in its place."""
        home = LanConfig("home", (HostConfig("alice"),), (inner,))
        here, _ = self.asked(LanConfig("carrier", (home,), (MAPS,)))
        assert len(here.received) == (inner is MAPS)

    def test_nobody_answers_on_the_backbone(self):
        here, net = self.asked(HostConfig("alice"))
        assert here.received == []
        assert net.lost == {"no such address": 1}


class TestClient:
    """The session's own client, unmodified, asks by PCP and by NAT-PMP."""

    def mappings(self, lan, keep_s=1.0):
        """Return what a host is given, and what is let in during and after it."""

        async def main():
            net = internet(lan, HostConfig("bob"))
            alice, bob = net.host("alice"), await port(net.host("bob"))
            here = await port(alice)
            given, arrived = [], []

            async def route():
                return Route(ROUTER, alice.addresses[0])

            with alice:
                mapper = PortMapper(route, (find_pcp, find_nat_pmp))
                async with mapper, aclosing(mapper.mapped(here.address)) as mappings:
                    async for mapping in mappings:
                        given.append(mapping)
                        break
                    await asyncio.sleep(keep_s)
                    for mapping in given:
                        bob.send(b"during", mapping.external)
                    await asyncio.sleep(1)
                    arrived.append(len(here.received))
            for mapping in given:
                bob.send(b"after", mapping.external)
            await asyncio.sleep(1)
            return given, [*arrived, len(here.received)]

        return run_simulated(main())

    def test_is_given_a_port_until_it_ends(self):
        lan = LanConfig("home", (HostConfig("alice", delay(0.01)),), (MAPS,))
        (mapping,), arrived = self.mappings(lan)
        assert mapping.protocol is MappingProtocol.NAT_PMP
        assert (mapping.router, mapping.lifetime_s) == (ROUTER, LIFETIME_S)
        assert mapping.external[0] == "198.18.0.1"
        assert not mapping.is_behind_another_nat
        assert arrived == [1, 1]

    def test_knows_that_it_is_below_a_carrier(self):
        home = LanConfig("home", (HostConfig("alice"),), (MAPS,))
        (mapping,), arrived = self.mappings(LanConfig("carrier", (home,), (PORT_RESTRICTED,)))
        assert mapping.is_behind_another_nat
        assert arrived == [0, 0]

    def test_has_to_renew_its_mapping_itself(self):
        """The iterator is not read meanwhile, so nothing is renewed, and the mapping ends."""
        lan = LanConfig("home", (HostConfig("alice"),), (MAPS,))
        _, arrived = self.mappings(lan, keep_s=2.5 * LIFETIME_S)
        assert arrived == [0, 0]

    def test_is_given_nothing_where_nobody_answers(self):
        lan = LanConfig("home", (HostConfig("alice"),), (PORT_RESTRICTED,))
        assert self.mappings(lan) == ([], [0, 0])
