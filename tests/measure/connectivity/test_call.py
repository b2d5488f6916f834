"""Calls on the simulated internet, compared with the connectivity rule, on both clocks."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.ice.file import embedded_configurations, load_configurations
from jamlab.measure.connectivity.attempt import attempt
from jamlab.measure.connectivity.call import (
    ACCESS_DELAY_S,
    SERVERS,
    SIGNALLING_S,
    Call,
    simulate,
    stand_in,
)
from jamlab.measure.connectivity.population import load_population
from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import Filtering, Mapping, nat_named
from jamlab.networks.model.place import Place
from jamlab.networks.model.place_names import place_named
from jamlab.networks.model.rule import (
    ALL_TYPES,
    direct_possible,
    expected,
    expected_in_one_carrier,
)
from jamlab.networks.model.topology import LanConfig, Topology
from jamlab.networks.simulated.clock import RealClock
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.networks.stun.server import StunServer
from jamlab.resources import data_path
from tests.examples import examples

STUN = embedded_configurations()["STUN"]
DEADLINE_S = 12.0  # the last check that can succeed is sent after 7.5 s


def place(nat):
    return Place("open") if nat is None else Place(nat.name, ((nat,),))


def call(caller, callee, *, delays_s=(0.02, 0.02), signalling_s=0.05, seed=1):
    return Call(0, seed, place(caller), place(callee), *delays_s, signalling_s)


def never_ends(a, b):
    """Each check comes from a new port that is let in: a pair more, for ever (quadratic work)."""
    return all(n is not None and n.mapping is Mapping.APDM for n in (a, b)) and any(
        n.filtering is Filtering.EIF for n in (a, b)
    )


@pytest.mark.parametrize("caller", ALL_TYPES, ids=lambda nat: nat.name if nat else "open")
def test_agrees_with_the_oracle_on_all_types(caller):
    for callee in ALL_TYPES:
        deadline_s = 4.0 if never_ends(caller, callee) else DEADLINE_S
        tried = simulate(call(caller, callee), STUN, deadline_s=deadline_s)
        expected = "direct" if direct_possible(caller, callee) else "failed"
        assert tried.result == expected, callee and callee.name


@examples(60)
@given(
    st.sampled_from(
        [pair for pair in itertools.product(ALL_TYPES, ALL_TYPES) if not never_ends(*pair)]
    ),
    st.tuples(st.floats(0.001, 0.15), st.floats(0.001, 0.15)),
    st.floats(0, 0.5),
    st.integers(0, 2**31),
)
def test_the_rule_does_not_hang_on_delays(pair, delays_s, signalling_s, seed):
    """Checks are sent again for seconds, so that neither who begins nor how far it is decides."""
    tried = simulate(
        call(*pair, delays_s=delays_s, signalling_s=signalling_s, seed=seed),
        STUN,
        deadline_s=DEADLINE_S,
    )
    assert tried.result == ("direct" if direct_possible(*pair) else "failed")


PLAIN = [
    place_named(name)
    for name in (
        "open",
        "EIM/APDF",
        "EIM/ADF/random",
        "APDM/APDF/random",
        "UDP blocked",
        "CGN EIM/APDF + EIM/APDF",
        "CGN APDM/APDF/random + EIM/APDF",
    )
]
VARIANTS = [
    plain.variant(ipv6, port_mapping=maps)
    for plain in PLAIN
    for ipv6 in (None, *Ipv6Firewall)
    for maps in ((False,) if plain.name == "open" else (False, True))
]


class TestIpv6AndPortMapping:
    """Places that have either or both, against the rule."""

    @pytest.mark.parametrize("name", ["STUN", "host only"])
    @pytest.mark.parametrize("one", VARIANTS, ids=lambda place: place.name)
    def test_agrees_with_the_rule_at_one_end(self, one, name):
        for other in PLAIN:
            self.check(one, other, name)

    @examples(400)
    @given(
        st.sampled_from(VARIANTS), st.sampled_from(VARIANTS), st.sampled_from(["STUN", "host only"])
    )
    def test_agrees_with_the_rule_at_both_ends(self, one, other, name):
        self.check(one, other, name)

    def check(self, one, other, name):
        tried = Call(0, 1, one, other, 0.02, 0.02, 0.05)
        result = simulate(tried, embedded_configurations()[name], deadline_s=DEADLINE_S).result
        direct = expected(one, other, stun=name == "STUN").direct
        assert result == ("direct" if direct else "failed"), (one.name, other.name)

    @pytest.mark.parametrize("level", ["ice", "dtls"])
    @pytest.mark.parametrize(
        "variant", [{"ipv6": Ipv6Firewall.STATEFUL}, {"port_mapping": True}], ids=str
    )
    def test_connects_whom_nothing_else_would(self, variant, level):
        symmetric = place_named("APDM/APDF/random")
        for one, result in ((symmetric, "failed"), (symmetric.variant(**variant), "direct")):
            tried = Call(0, 1, one, one, 0.02, 0.02, 0.05)
            assert simulate(tried, STUN, level, DEADLINE_S).result == result

    @pytest.mark.parametrize("carrier", ["port restricted", "symmetric"])
    @pytest.mark.parametrize("maps", [(False, False), (True, False), (True, True)])
    def test_agrees_with_the_rule_behind_one_carrier(self, carrier, maps):
        layer = (nat_named(carrier),)
        places = [
            Place("home", ((nat_named("port restricted"),), layer)).variant(port_mapping=each)
            for each in maps
        ]

        async def main():
            homes = [
                replace(place, layers=place.layers[:-1]).member(name, LinkConfig(0.02))
                for place, name in zip(places, ("caller", "callee"), strict=True)
            ]
            net = Internet(Topology((*SERVERS, LanConfig("carrier", tuple(homes), layer))))
            with net.host("stun") as stun:
                async with StunServer(stun.addresses, 3478):
                    return await attempt(
                        STUN,
                        deadline_s=DEADLINE_S,
                        caller_at=lambda: net.host("caller"),
                        callee_at=lambda: net.host("callee"),
                        caller_maps=net.host("caller").map_port,
                        callee_maps=net.host("callee").map_port,
                    )

        with simulated_world():
            result = run_simulated(main()).result
        direct = expected_in_one_carrier(*places, stun=True)
        assert result == ("direct" if direct else "failed")


class TestDrawn:
    POPULATION = load_population("nat_population")

    def test_a_call_is_a_function_of_seed_and_number(self):
        assert Call.drawn(self.POPULATION, 5, 77) == Call.drawn(self.POPULATION, 5, 77)
        different = {
            Call.drawn(self.POPULATION, seed, number).seed
            for seed, number in itertools.product(range(20), range(20))
        }
        assert len(different) == 400

    def test_places_are_as_common_as_the_population_says(self):
        calls = [Call.drawn(self.POPULATION, 3, number) for number in range(4000)]
        names = [place.name for each in calls for place in (each.caller, each.callee)]
        for known, share in zip(self.POPULATION.places, self.POPULATION.shares, strict=True):
            error = np.sqrt(share * (1 - share) / len(names))
            assert names.count(known.name) / len(names) == pytest.approx(share, abs=5 * error)

    def test_times_lie_in_their_ranges(self):
        for number in range(200):
            drawn = Call.drawn(self.POPULATION, 1, number)
            assert ACCESS_DELAY_S[0] <= drawn.caller_delay_s < ACCESS_DELAY_S[1]
            assert ACCESS_DELAY_S[0] <= drawn.callee_delay_s < ACCESS_DELAY_S[1]
            assert SIGNALLING_S[0] <= drawn.signalling_s < SIGNALLING_S[1]


class TestClocks:
    @pytest.mark.parametrize("level", ["ice", "dtls"])
    def test_real_time_comes_to_the_same(self, level):
        """On a busy machine real time is longer, but not other."""
        quick = call(ALL_TYPES[1], None, delays_s=(0.005, 0.005), signalling_s=0.01)
        virtual = simulate(quick, STUN, level)
        real = simulate(quick, STUN, level, clock=RealClock())
        for field in ("result", "caller_candidate", "callee_candidate", "stage"):
            assert getattr(real, field) == getattr(virtual, field)
        assert real.time_to_connect_s >= virtual.time_to_connect_s - 1e-6
        seen = [[entry[1:] for entry in json.loads(each.states)] for each in (real, virtual)]
        assert sorted(seen[0]) == sorted(seen[1])


SECRET = "hunter-2-hunter-2"
URLS = st.sampled_from(
    [
        "stun:stun.example.org",
        "stun:192.0.2.1:19302",
        "stuns:stun.example.org",
        "turn:turn.example.org:80",
        "turn:turn.example.org?transport=tcp",
        "turns:turn.example.org:443?transport=tcp",
        "turns:turn.example.org?transport=udp",
    ]
)


class TestStandIns:
    @pytest.mark.parametrize("configuration", embedded_configurations().values())
    def test_of_the_embedded_are_themselves(self, configuration):
        assert stand_in(configuration) == configuration

    @given(st.lists(URLS, max_size=4), st.sampled_from(["all", "relay"]))
    def test_are_of_the_same_kinds_and_know_no_secret(self, urls, policy):
        servers = tuple(IceServer(url, "me", SECRET) for url in urls)
        own = IceConfiguration("mine", servers, policy)
        simulated = stand_in(own)
        one, other = own.connection_arguments(), simulated.connection_arguments()
        assert one.keys() == other.keys()
        for key in ("turn_transport", "transport_policy"):
            assert one.get(key) == other.get(key)
        assert not other.get("turn_ssl")
        assert (simulated.name, simulated.has_turn) == (own.name, own.has_turn)
        assert simulated.warnings == tuple(w for w in own.warnings if "can never connect" in w)
        assert SECRET not in {server.credential for server in simulated.servers}

    @pytest.mark.parametrize("level", ["ice", "dtls"])
    def test_let_an_engineers_own_configurations_connect_as_the_like_of_them(self, level):
        path = data_path("ice_servers.example.toml")
        first, relayed = load_configurations(path, {"TURN_PASSWORD": SECRET}).values()
        over_tcp = IceServer("turn:turn.jamlab.test?transport=tcp", "jam", "jam")
        alike = IceConfiguration("alike", (over_tcp,), "relay")
        tried = call(ALL_TYPES[-1], ALL_TYPES[-1])
        for own, like in ((first, embedded_configurations()["STUN+TURN/UDP"]), (relayed, alike)):
            one, other = simulate(tried, own, level), simulate(tried, like, level)
            assert (one.result, one.relay_transport) == ("relayed", other.relay_transport)
            assert one.time_to_connect_s == other.time_to_connect_s
