"""Attempts: both levels compared, with real sockets, and every stage of failure."""

import asyncio
import json
import math

import pytest

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.measure.connectivity.attempt import DEADLINE_S, attempt
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import (
    PORT_RESTRICTED,
    SYMMETRIC,
    Filtering,
    FirewallType,
    Mapping,
    NatType,
)
from jamlab.networks.model.place import Place
from jamlab.networks.model.topology import HostConfig, Topology
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.networks.stun.server import StunServer
from jamlab.networks.turn.server import TurnServer

DELAY_S = 0.02
SIGNALLING_S = 0.05
LINK = LinkConfig(delay_s=DELAY_S)
OPEN = Place("open")
RESTRICTED = Place("EIM/APDF", ((PORT_RESTRICTED,),))
CARRIER = Place("CGN", ((PORT_RESTRICTED,), (SYMMETRIC,)))
BLOCKED = Place("UDP blocked", ((PORT_RESTRICTED, FirewallType(Filtering.APDF, udp_blocked=True)),))
PLACES = [OPEN, RESTRICTED, Place("APDM/APDF", ((SYMMETRIC,),)), CARRIER, BLOCKED]

STUN = IceServer("stun:stun.jamlab.test:3478")


def turn(transport, password="jam"):
    return IceServer(f"turn:turn.jamlab.test:3478?transport={transport}", "jam", password)


HOST_ONLY = IceConfiguration("host only")
STUN_ONLY = IceConfiguration("STUN", (STUN,))
TURN_UDP = IceConfiguration("STUN+TURN/UDP", (STUN, turn("udp")))
TURN_TCP = IceConfiguration("STUN+TURN/TCP", (STUN, turn("tcp")))
RELAY_ONLY = IceConfiguration("relay only", (turn("udp"),), "relay")
CONFIGURATIONS = [HOST_ONLY, STUN_ONLY, TURN_UDP, TURN_TCP, RELAY_ONLY]


def tried(configuration, caller, callee, level="ice", servers=True, **options):
    async def trying():
        internet = Internet(
            Topology(
                (
                    HostConfig("stun", LINK),
                    HostConfig("turn", LINK),
                    caller.member("caller", LINK),
                    callee.member("callee", LINK),
                )
            )
        )
        loop = asyncio.get_running_loop()
        stun, turn = internet.host("stun"), internet.host("turn")
        stun_server = StunServer(stun.addresses)
        turn_server = TurnServer(turn.addresses[0], users={"jam": "jam"}, rng=loop.random)
        here = {
            "caller_at": lambda: internet.host("caller"),
            "callee_at": lambda: internet.host("callee"),
        }
        if not servers:
            return await attempt(configuration, level=level, **here, **options)
        with stun:
            await stun_server.__aenter__()
        with turn:
            await turn_server.__aenter__()
        try:
            return await attempt(configuration, level=level, **here, **options)
        finally:
            await stun_server.__aexit__(None, None, None)
            await turn_server.__aexit__(None, None, None)

    with simulated_world():
        return run_simulated(trying(), seed=3)


def states(attempt, side, kind="ice"):
    return [
        state for _, who, what, state in json.loads(attempt.states) if (who, what) == (side, kind)
    ]


class TestLevels:
    @pytest.mark.slow
    @pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda c: c.name)
    @pytest.mark.parametrize("caller", PLACES, ids=lambda p: p.name)
    def test_agree(self, configuration, caller):
        """ICE alone, and a whole peer connection, come to the same by the same candidates."""
        for callee in PLACES:
            alone = tried(configuration, caller, callee, "ice")
            whole = tried(configuration, caller, callee, "dtls")
            for field in ("result", "stage", "caller_candidate", "callee_candidate"):
                assert getattr(alone, field) == getattr(whole, field), (callee.name, field)
            assert alone.relay_transport == whole.relay_transport
            if alone.result != "failed":
                assert alone.time_to_connect_s < whole.time_to_connect_s


class TestTimes:
    def test_between_open_hosts(self):
        """One round trip asks STUN, at each end; each description is one way; one check is one."""
        direct = tried(STUN_ONLY, OPEN, OPEN, signalling_s=SIGNALLING_S)
        round_trip_s = 4 * DELAY_S
        gathered_s = 2 * round_trip_s
        # the callee's first check goes out when its answer does, and is answered by then
        assert direct.time_to_connect_s == pytest.approx(
            gathered_s + 2 * SIGNALLING_S + round_trip_s, abs=1e-5
        )
        assert direct.start_skew_s == pytest.approx(-SIGNALLING_S, abs=1e-6)
        assert direct.observed_s == direct.time_to_connect_s

    @pytest.mark.parametrize("deadline_s", [1.0, 12.5])
    def test_the_deadline_is_kept(self, deadline_s):
        failed = tried(STUN_ONLY, CARRIER, CARRIER, deadline_s=deadline_s)
        assert (failed.result, failed.stage) == ("failed", "deadline")
        assert failed.observed_s == pytest.approx(deadline_s, abs=1e-6)
        assert math.isnan(failed.time_to_connect_s)

    def test_without_a_deadline_aioice_gives_up_after_seven_requests(self):
        """RTO 0.5 s, doubled with each of seven requests (RFC 8489 §6.2.1): 63.5 s a check."""
        failed = tried(STUN_ONLY, CARRIER, CARRIER, deadline_s=600)
        assert (failed.result, failed.stage) == ("failed", "checks")
        assert 63.5 <= failed.observed_s < 66

    @pytest.mark.parametrize("level", ["ice", "dtls"])
    def test_pairs_without_end_are_given_up(self, level):
        """Two APDM/EIF: aioice pairs on for ever, which RFC 8445 §6.1.2.5 forbids."""
        endless = Place("APDM/EIF", ((NatType(Mapping.APDM, Filtering.EIF),),))
        failed = tried(STUN_ONLY, endless, endless, level, deadline_s=600)
        assert (failed.result, failed.stage) == ("failed", "checks")
        assert failed.observed_s < 63.5  # when the first check would have been given up


class TestStages:
    def test_nothing_gathered(self):
        failed = tried(RELAY_ONLY, OPEN, OPEN, servers=False)
        assert (failed.result, failed.stage) == ("failed", "gathering")
        assert math.isnan(failed.start_skew_s)

    def test_a_wrong_password_is_no_relay(self):
        wrong = IceConfiguration("relay only", (turn("udp", "wrong"),), "relay")
        assert tried(wrong, OPEN, OPEN).stage == "gathering"

    def test_servers_that_never_answer(self):
        """Gathering gives them five seconds; then host candidates still connect open hosts."""
        direct = tried(TURN_UDP, OPEN, OPEN, servers=False)
        assert direct.result == "direct"
        assert direct.time_to_connect_s > 10

    def test_blocked_udp_is_relayed_over_tcp_only(self):
        assert tried(TURN_UDP, BLOCKED, OPEN).result == "failed"
        relayed = tried(TURN_TCP, BLOCKED, OPEN)
        assert (relayed.result, relayed.relay_transport) == ("relayed", "tcp")
        assert relayed.caller_candidate == "relay"


class TestCandidates:
    def test_open(self):
        direct = tried(STUN_ONLY, OPEN, OPEN)
        assert (direct.caller_candidate, direct.callee_candidate) == ("host", "host")

    def test_a_symmetric_nat_is_seen_where_nobody_announced_it(self):
        """Towards the peer it maps to another port than STUN saw (RFC 8445 §5.1.1)."""
        direct = tried(STUN_ONLY, CARRIER, OPEN)
        assert (direct.caller_candidate, direct.callee_candidate) == ("prflx", "host")

    def test_relay_only(self):
        relayed = tried(RELAY_ONLY, RESTRICTED, CARRIER)
        assert (relayed.caller_candidate, relayed.callee_candidate) == ("relay", "relay")
        assert relayed.relay_transport == "udp"


class TestStates:
    @pytest.mark.parametrize("level", ["ice", "dtls"])
    @pytest.mark.parametrize("side", ["caller", "callee"])
    def test_of_a_success(self, level, side):
        seen = states(tried(STUN_ONLY, OPEN, RESTRICTED, level), side)
        assert seen[:3] == ["new", "checking", "completed"]

    def test_of_a_whole_connection(self):
        seen = states(tried(STUN_ONLY, OPEN, OPEN, "dtls"), "caller", "connection")
        assert seen[:3] == ["new", "connecting", "connected"]

    @pytest.mark.parametrize("level", ["ice", "dtls"])
    def test_of_a_failure(self, level):
        failed = tried(STUN_ONLY, CARRIER, CARRIER, level, deadline_s=600)
        seen = [states(failed, side)[:3] for side in ("caller", "callee")]
        assert ["new", "checking", "failed"] in seen  # the attempt is over with the first

    def test_times_never_go_back(self):
        entries = json.loads(tried(TURN_UDP, CARRIER, RESTRICTED, "dtls").states)
        times_s = [entry[0] for entry in entries]
        assert times_s == sorted(times_s)


class TestRealSockets:
    @pytest.mark.parametrize("level", ["ice", "dtls"])
    async def test_two_ends_on_this_machine(self, level):
        """The same code on the machine's own network, where no host is to be named."""
        direct = await attempt(HOST_ONLY, level=level, signalling_s=0, deadline_s=DEADLINE_S)
        assert (direct.result, direct.stage) == ("direct", "")
        assert direct.caller_candidate in ("host", "prflx")
