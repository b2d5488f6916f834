"""One call between whole sessions: its path, its times, and what its users are told."""

import json
import math
from dataclasses import replace

import pytest

from jamlab.ice.configuration import HOST_ONLY, IceConfiguration, IceServer
from jamlab.measure.connectivity.call import Call
from jamlab.measure.session_connectivity.meeting import (
    FINAL_S,
    SETTLED_S,
    signalling_s,
    simulate_meeting,
    with_simulated_servers,
)
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.place_names import place_named
from jamlab.networks.model.rule import expected

HOME, SYMMETRIC, BLOCKED = "EIM/APDF/preserve", "APDM/APDF/random", "UDP blocked"
ACCESS = LinkConfig(delay_s=0.01)
STUN = IceConfiguration("STUN", (IceServer("stun:stun.example.org"),))


def turn(transport):
    server = IceServer(f"turn:turn.example.org?transport={transport}", "jam", "a word")
    return IceConfiguration(f"TURN/{transport}", (*STUN.servers, server))


def meeting(caller, callee, configuration, deadline_s=30.0, seed=5):
    places = place_named(caller), place_named(callee)
    call = Call(0, seed, *places, 0.0, 0.0, 0.0)
    return simulate_meeting(call, configuration, ACCESS, deadline_s)


class TestPath:
    def test_two_homes_meet_directly(self):
        met = meeting(HOME, HOME, STUN)
        assert met.result == "direct"
        assert {met.caller_candidate, met.callee_candidate} <= {"srflx", "prflx"}
        assert met.direct_s < met.first_sound_s <= met.observed_s < met.first_sound_s + 1

    def test_without_servers_two_public_hosts_meet(self):
        met = meeting("open", "open", HOST_ONLY)
        assert (met.result, met.caller_candidate, met.callee_candidate) == (
            "direct",
            "host",
            "host",
        )

    def test_two_symmetric_nats_need_a_relay(self):
        met = meeting(SYMMETRIC, SYMMETRIC, turn("udp"))
        assert met.result == "relayed"
        assert "relay" in (met.caller_candidate, met.callee_candidate)
        assert math.isnan(met.direct_s)
        assert met.observed_s == pytest.approx(met.first_sound_s + SETTLED_S, abs=0.2)

    def test_a_relay_is_left_time_for_a_direct_path_where_there_is_one(self):
        """Relays alone are allowed, so the direct path between two homes is not taken."""
        relayed = replace(turn("udp"), policy="relay")
        met = meeting(HOME, HOME, relayed)
        assert met.result == "relayed"
        assert met.observed_s == pytest.approx(met.first_sound_s + FINAL_S, abs=0.2)

    def test_a_relay_over_tcp_passes_where_udp_is_blocked(self):
        assert meeting(BLOCKED, HOME, turn("tcp"), deadline_s=60.0).result == "relayed"

    def test_without_a_relay_there_is_no_sound_and_the_users_are_told(self):
        met = meeting(SYMMETRIC, SYMMETRIC, STUN, deadline_s=30.0)
        assert met.result == "failed"
        assert math.isnan(met.first_sound_s)
        assert math.isnan(met.direct_s)
        assert met.observed_s == pytest.approx(30.0, abs=0.1)
        told = json.loads(met.notices)
        assert {side for _, side, _ in told} == {"caller", "callee"}
        assert any(kind != "joined" for _, _, kind in told)
        assert [at_s for at_s, _, _ in told] == sorted(at_s for at_s, _, _ in told)

    def test_a_port_that_the_router_maps_is_a_direct_path(self):
        """Without it there is none between these two, see above and the rule."""
        mapped = f"{SYMMETRIC}, port mapping"
        met = meeting(mapped, SYMMETRIC, turn("udp"))
        assert met.result == "direct"
        assert expected(place_named(mapped), place_named(SYMMETRIC), stun=True).direct

    def test_over_ipv6_two_symmetric_nats_meet_directly(self):
        """Stateful firewalls let in answers, and both ends send first."""
        dual = f"{SYMMETRIC}, IPv6 stateful"
        assert meeting(dual, dual, turn("udp")).result == "direct"
        assert meeting(dual, f"{SYMMETRIC}, IPv6 closed", turn("udp")).result == "relayed"

    @pytest.mark.parametrize("callee", ["open", "EIM/EIF", HOME, SYMMETRIC])
    def test_it_is_direct_where_the_rule_says_so(self, callee):
        rule = expected(place_named("EIM/ADF"), place_named(callee), stun=True)
        assert (meeting("EIM/ADF", callee, STUN).result == "direct") == rule.direct

    @pytest.mark.parametrize("callee", [HOME, SYMMETRIC, f"{SYMMETRIC}, port mapping"])
    @pytest.mark.parametrize("configuration", [STUN, HOST_ONLY], ids=lambda each: each.name)
    def test_ports_that_a_router_maps_are_used_where_the_rule_says_so(self, callee, configuration):
        caller = f"{SYMMETRIC}, port mapping"
        stun = configuration is STUN
        rule = expected(place_named(caller), place_named(callee), stun=stun)
        met = meeting(caller, callee, configuration, deadline_s=10.0)
        assert (met.result == "direct") == rule.direct


class TestTimes:
    def test_sound_is_no_faster_than_signals_and_packets(self):
        """Presence comes after one signal's time; an offer and sound have to come after it."""
        met = meeting("open", "open", HOST_ONLY)
        offered_s = 2 * signalling_s(ACCESS)
        assert offered_s + 2 * ACCESS.delay_s < met.first_sound_s < 1.0
        assert met.first_sound_s == max(met.caller_sound_s, met.callee_sound_s)

    def test_a_signal_takes_the_way_to_a_server_and_on(self):
        assert signalling_s(LinkConfig(delay_s=0.03)) == pytest.approx(0.03 + 2 * 0.01 + 0.03)

    def test_the_same_seed_gives_the_same_meeting(self):
        lossy = LinkConfig(delay_s=0.01, jitter_s=0.002, loss=0.02)
        call = Call(0, 8, place_named(HOME), place_named("EIM/EIF"), 0.0, 0.0, 0.0)
        one, other = (simulate_meeting(call, turn("udp"), lossy, 30.0) for _ in range(2))
        assert repr(one) == repr(other)  # NaN is not equal to itself


class TestServers:
    def test_each_is_one_of_its_kind(self):
        secret = ("jam", "a secret word")
        own = IceConfiguration(
            "mine",
            (
                IceServer("stun:one.example.org"),
                IceServer("stun:two.example.org:19302"),
                IceServer("turn:turn.example.org", *secret),
                IceServer("turn:turn.example.org?transport=tcp", *secret),
                IceServer("turns:turn.example.org?transport=tcp", *secret),
            ),
            "relay",
        )
        simulated = with_simulated_servers(own)
        assert (simulated.name, simulated.policy) == ("mine", "relay")
        assert [server.urls for server in simulated.servers] == [
            "stun:stun.jamlab.test:3478",
            "turn:turn.jamlab.test:3478?transport=udp",
            "turn:turn.jamlab.test:3478?transport=tcp",
        ]
        assert "secret" not in "".join(server.credential or "" for server in simulated.servers)
