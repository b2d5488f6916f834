"""The agent: every pair of NAT types as the rule says, other agents, faults, and real sockets."""

import asyncio
import itertools
import logging
import struct

import pytest
from aioice import Candidate, Connection
from aioice.stun import Class, Message, Method
from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session

from jamlab.ice.configuration import IceConfiguration
from jamlab.media.agent.agent import MOST_PAIRS, UNANSWERED_BURST, UNANSWERED_PER_S, IceAgent
from jamlab.media.agent.checklist import LONGEST_RTO_S
from jamlab.media.agent.renewal import LONGEST_AGAIN_S
from jamlab.media.ice_connection import RELEASE_S, pair_count
from jamlab.networks.model.nat_behaviour import FULL_CONE, FirewallType
from jamlab.networks.model.place import Place
from jamlab.networks.model.rule import ALL_TYPES, expected
from jamlab.networks.simulated.firewall import Firewall
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from tests.media.agent.meeting import (
    ALL,
    HOME,
    OFFICE,
    OPEN,
    RTCP,
    RTP,
    TOUGH,
    TURN,
    TURN_TCP,
    join,
    meeting,
    play,
)


def place(nat):
    return Place(str(nat), ((nat,),) if nat else ())


async def outcome(one, other, after_s=3.0, **options):
    """Return when both ends could send, and the route of each, some time later."""
    async with meeting(one, other, **options) as (world, *ends):
        began_s = asyncio.get_running_loop().time()
        await join(world, *ends)
        connected_s = max(end.connected_s for end in ends) - began_s
        await asyncio.sleep(after_s)
        for number, end in enumerate(ends):
            with world.where(end.name):
                await end.play(number, 1)
        await asyncio.sleep(0.5)
        assert [end.got for end in ends] == [[1], [0]]
        return connected_s, {end.route for end in ends}


def simulated(coroutine):
    with simulated_world():
        return run_simulated(coroutine, seed=1)


def names(places):
    """Return the names of two places, for a test's own."""
    return "-".join(place.name for place in places)


class TestRoutes:
    @pytest.mark.slow
    @pytest.mark.parametrize("number", range(len(ALL_TYPES)))
    def test_every_pair_of_nats_connects_as_the_rule_says(self, number):
        for other in ALL_TYPES:
            places = place(ALL_TYPES[number]), place(other)
            direct = expected(*places, stun=True, relay="udp").direct
            connected_s, routes = simulated(outcome(*places))
            assert routes == {"direct" if direct else "relay"}, other
            assert connected_s < 0.5

    @pytest.mark.parametrize("one", [HOME, OFFICE])
    def test_where_udp_is_blocked_the_relay_over_tcp_serves(self, one):
        connected_s, routes = simulated(outcome(one, OFFICE))
        assert routes == {"relay"}
        assert connected_s < 0.5

    @pytest.mark.parametrize("there", [TURN, TURN_TCP])
    def test_servers_that_are_silent_hold_up_nothing(self, there):
        servers = IceConfiguration("one of them", (there,))
        connected_s, routes = simulated(outcome(TOUGH, TOUGH, there=servers))
        assert routes == {"relay"}
        assert connected_s < 0.5

    def test_who_wants_relays_only_gets_those(self):
        connected_s, routes = simulated(outcome(HOME, HOME, ice=ALL.relayed()))
        assert routes == {"relay"}
        assert connected_s < 0.5

    @pytest.mark.parametrize("stock", ["one", "other"])
    @pytest.mark.parametrize("places", [(HOME, HOME), (HOME, OPEN), (TOUGH, TOUGH)])
    def test_with_an_agent_of_aioice_in_either_role(self, stock, places):
        """aioice sends only on a nominated pair, and keeps the first."""
        connected_s, routes = simulated(outcome(*places, stock=(stock,)))
        assert connected_s < 1.5
        if places == (TOUGH, TOUGH):
            assert routes == {"relay"}


@pytest.mark.parametrize("controls", [True, False])
def test_two_ends_of_the_same_role_settle_it(controls):
    """RFC 8445 section 7.3.1.1."""

    async def main():
        async with meeting(HOME, HOME) as (world, *ends):
            for end in ends:
                end.agent.ice_controlling = controls
            await join(world, *ends)
            await asyncio.sleep(1)
            assert {end.agent.ice_controlling for end in ends} == {True, False}

    simulated(main())


def lost_after(scenario, within_s, places=(HOME, HOME)):
    """Break something under a stream both ways; return the routes, if little was lost."""

    async def main():
        async with meeting(*places) as (world, *ends):
            await join(world, *ends)
            await asyncio.sleep(2)
            playing = play(world, ends, 1500)
            await asyncio.sleep(5)
            scenario(world, ends)
            await asyncio.gather(*playing)
            await asyncio.sleep(1)
            return [1500 - len(end.got) for end in ends], {end.route for end in ends}

    lost, routes = simulated(main())
    assert max(lost) * 0.01 <= within_s
    return routes


def gap_s(end):
    """Return the longest time in which an end heard nothing new."""
    return max(later - before for before, later in itertools.pairwise(end.heard_s))


def cut(name, for_s):
    """Return how to cut an end's link for a time."""

    def begin(world, ends):
        line = world.internet.lines[name]
        line.cut = True
        asyncio.get_running_loop().call_later(for_s, setattr, line, "cut", False)

    return begin


PLACES = [(HOME, HOME), (TOUGH, TOUGH), (OFFICE, HOME), (OPEN, TOUGH)]


class TestNetworksThatChange:
    @pytest.mark.parametrize("places", PLACES, ids=names)
    def test_both_ends_get_other_addresses_at_once(self, places):
        def move(world, ends):
            world.internet.readdress("one")
            world.internet.readdress("other")

        lost_after(move, 1.0, places)

    @pytest.mark.parametrize("places", PLACES[:3], ids=names)
    def test_the_new_address_comes_seconds_after_the_old_one_went(self, places):
        def move(world, ends):
            cut("one-network-1", 3.0)(world, ends)
            asyncio.get_running_loop().call_later(3.0, world.internet.readdress, "one")

        lost_after(move, 4.0, places)

    def test_relays_whose_address_is_gone_leave_no_tasks(self):
        """Channels to the peer's new candidates are being bound when the relays are given up."""

        async def main():
            before = asyncio.all_tasks()
            async with meeting(TOUGH, TOUGH) as (world, one, other):
                await join(world, one, other)
                play(world, [one, other], 1000)
                await asyncio.sleep(3)
                cut("one-network-1", 3.0)(world, ())
                await asyncio.sleep(3)
                world.internet.readdress("one")
                await asyncio.sleep(3)
            await asyncio.sleep(0.1)
            assert asyncio.all_tasks() == before

        simulated(main())

    def test_many_moves_leave_the_sockets_of_the_last_address_alone(self):
        async def main():
            async with meeting(HOME, HOME) as (world, one, other):
                await join(world, one, other)
                await asyncio.sleep(1)
                play(world, [one, other], 4500)
                for _ in range(6):
                    world.internet.readdress("one")
                    await asyncio.sleep(5)
                assert max(gap_s(one), gap_s(other)) < 1.0
                at_last = world.internet.host("one").addresses[0]
                bases = [c.host for c in one.agent.local_candidates if c.type == "host"]
                assert bases == [at_last]
                kinds = [candidate.type for candidate in one.agent.local_candidates]
                assert sorted(kinds) == ["host", "relay", "relay", "srflx"]

        simulated(main())

    def test_many_cuts_leave_no_allocations_behind(self):
        async def main():
            async with meeting(HOME, HOME) as (world, one, other):
                await join(world, one, other)
                play(world, [one, other], 3000)
                for _ in range(6):
                    cut("one-network-1", 1.5)(world, ())
                    await asyncio.sleep(5)
                assert (
                    len(world.turn.core.allocations) <= 8
                )  # two of each end, and those that replace them
                for end in one, other:
                    assert len(end.agent.local_candidates) <= 5
            await asyncio.sleep(5)
            assert not world.turn.core.allocations

        simulated(main())

    def test_a_relay_over_tcp_that_breaks_is_replaced(self):
        """The server closes the connections, as one that restarts, and takes new ones at once."""

        async def main():
            async with meeting(OFFICE, OFFICE) as (world, *ends):
                await join(world, *ends)
                play(world, ends, 1500)
                await asyncio.sleep(5)
                for connection in [*world.turn._connections.values()]:
                    connection.close()
                await asyncio.sleep(5)
                assert max(gap_s(end) for end in ends) < 1.0

        simulated(main())

    def test_a_stun_server_that_a_firewall_hid_at_first_is_asked_again(self):
        """It opens after all questions have ended; the NAT behind it then shows its address."""

        async def main():
            blocked = Place("blocked", ((FirewallType(udp_blocked=True), FULL_CONE),))
            async with meeting(blocked, HOME) as (world, one, other):
                await join(world, one, other)
                play(world, [one, other], 1500, every_s=0.05)
                await asyncio.sleep(15)
                world.open_firewalls("one")
                await asyncio.sleep(LONGEST_AGAIN_S + LONGEST_RTO_S)
                assert "srflx" in [candidate.type for candidate in one.candidates]
                assert {end.route for end in (one, other)} == {"direct"}
                assert max(gap_s(one), gap_s(other)) < 0.1

        simulated(main())


class TestLater:
    def test_a_nat_that_reboots_is_bridged_by_the_relay(self):
        def reboot(world, ends):
            for box in world.internet.boxes["one-network-1"]:
                box.reboot()

        assert lost_after(reboot, 1.2)

    def test_a_firewall_that_closes_is_left_for_the_relay_over_tcp(self):
        def close(world, ends):
            world.internet.boxes["one-network-1"].insert(
                0, Firewall(FirewallType(udp_blocked=True))
            )

        assert lost_after(close, 1.2) == {"relay"}

    @pytest.mark.parametrize("places", [(HOME, HOME), (HOME, OPEN), (TOUGH, HOME)])
    def test_another_address_of_the_machine_is_used_within_a_second(self, places):
        def move(world, ends):
            world.internet.readdress("one")

        assert lost_after(move, 1.1, places)

    def test_a_cut_of_a_few_seconds_ends_by_itself(self):
        def cut(world, ends):
            line = world.internet.lines["one-network-1"]
            line.cut = True
            asyncio.get_running_loop().call_later(3, setattr, line, "cut", False)

        assert lost_after(cut, 3.2) == {"direct"}

    def test_from_the_relay_to_a_direct_path_nothing_is_lost(self):
        """Direct paths work from the third second on, because the firewall opens then."""

        async def main():
            blocked = Place("blocked", ((FirewallType(udp_blocked=True), FULL_CONE),))
            async with meeting(blocked, HOME, ice=ALL) as (world, *ends):
                await join(world, *ends)
                playing = play(world, ends, 3000)
                await asyncio.sleep(3)
                assert {end.route for end in ends} == {"relay"}
                world.open_firewalls("one")
                await asyncio.sleep(LONGEST_RTO_S)
                await asyncio.gather(*playing)
                await asyncio.sleep(1)
                return [len(end.got) for end in ends], {end.route for end in ends}

        assert simulated(main()) == ([3000, 3000], {"direct"})

    def test_consent_that_expires_ends_the_agent(self):
        async def main():
            async with meeting(HOME, HOME) as (world, one, other):
                await join(world, one, other)
                world.internet.lines["one-network-1"].cut = True
                await asyncio.sleep(40)
                for end in one, other:
                    assert end.agent.is_closing
                    with pytest.raises(ConnectionError):
                        await end.agent.send(RTP)

        simulated(main())

    def test_a_relay_that_is_lost_ends_nothing(self):
        async def main():
            async with meeting(OFFICE, HOME) as (world, *ends):
                await join(world, *ends)
                await asyncio.sleep(1)
                await world.turn.__aexit__(None, None, None)
                await asyncio.sleep(3)
                for end in ends:
                    with world.where(end.name):
                        await end.agent.send(RTP + bytes(20))
                    assert not end.agent.is_closing
                with world.internet.host("turn"):
                    await world.turn.__aenter__()

        simulated(main())

    @pytest.mark.slow
    @pytest.mark.parametrize("places", [(TOUGH, TOUGH), (OFFICE, HOME)])
    def test_a_relay_serves_for_longer_than_its_first_permission(self, places):
        """RFC 8656 section 9: a permission ends after 300 s, a channel after 600 s."""

        async def main():
            async with meeting(*places) as (world, *ends):
                await join(world, *ends)
                await asyncio.sleep(2)
                playing = play(world, ends, 2800, every_s=0.25)
                await asyncio.gather(*playing)
                await asyncio.sleep(1)
                return [len(end.got) for end in ends], [gap_s(end) for end in ends]

        counts, gaps_s = simulated(main())
        assert counts == [2800, 2800]
        assert max(gaps_s) < 0.27  # no packet waits for a new binding, either

    @pytest.mark.parametrize("place", [TOUGH, OFFICE])
    def test_closing_does_not_wait_for_a_server_that_is_silent(self, place):
        async def main():
            before = asyncio.all_tasks()
            async with meeting(place, TOUGH) as (world, *ends):
                await join(world, *ends)
                await asyncio.sleep(1)
                world.internet.lines["turn"].cut = True
                began_s = asyncio.get_running_loop().time()
                await asyncio.gather(*(end.agent.close() for end in ends))
                assert asyncio.get_running_loop().time() - began_s <= RELEASE_S + 0.1
            await asyncio.sleep(0.1)
            assert asyncio.all_tasks() == before

        simulated(main())


class TestLimits:
    def test_candidates_without_end_make_no_more_pairs_than_the_rfc_allows(self):
        async def main():
            async with meeting(HOME, HOME) as (world, one, _):
                with world.where("one"):
                    await one.agent.gather_candidates()
                    for port in range(1, 300):
                        line = f"1 1 udp {port} 192.0.2.1 {port} typ host"
                        await one.agent.add_remote_candidate(Candidate.from_sdp(line))
                assert pair_count(one.agent) == MOST_PAIRS

        simulated(main())

    def test_data_before_a_pair_is_selected_is_bounded_and_not_lost(self):
        async def main():
            async with meeting(OPEN, OPEN) as (world, one, other):
                with world.where("one"):
                    await one.agent.gather_candidates()
                socket = one.agent.local_candidates[0]
                assert socket.type == "host"
                for number in range(1000):
                    data = RTP + number.to_bytes(4, "big") + bytes(20)
                    one.agent.take_data(data, ("192.0.2.1", 9), None)
                await join(world, one, other)
                await asyncio.sleep(0.1)
                assert one.got == [*range(len(one.got))]
                assert 0 < len(one.got) < 100

        simulated(main())

    @pytest.mark.parametrize("places", [(OPEN, OPEN), (TOUGH, TOUGH)], ids=names)
    def test_packets_of_sound_go_past_the_queue(self, places):
        """Those that are taken: others, and RTCP, wait for `recv`. Without a pair, none go."""

        async def main():
            async with meeting(*places) as (world, one, other):
                taken = []

                def take(datagram):
                    number = int.from_bytes(datagram[2:6], "big")
                    if number % 2 == 0:
                        taken.append(number)
                    return number % 2 == 0

                other.agent.take_srtp = take
                one.agent.send_at_once(RTP + bytes(24))
                await join(world, one, other)
                for number in range(10, 20):
                    data = number.to_bytes(4, "big") + bytes(20)
                    one.agent.send_at_once(RTP + data)
                one.agent.send_at_once(RTCP + (20).to_bytes(4, "big") + bytes(20))
                await asyncio.sleep(1)
                assert taken == [10, 12, 14, 16, 18]
                assert other.got == [11, 13, 15, 17, 19, 20]
            one.agent.send_at_once(RTP + bytes(24))  # nothing is sent after the end

        simulated(main())

    @pytest.mark.parametrize("places", [(TOUGH, TOUGH), (OFFICE, OFFICE)], ids=names)
    def test_a_relay_outlives_malformed_stun_of_its_server(self, places, caplog):
        """aioice raises an error, at which asyncio closes a connection over TCP."""

        async def main():
            async with meeting(*places) as (world, *ends):
                await join(world, *ends)
                attribute = struct.pack("!HHxxxx", 0x0024, 1)  # a PRIORITY of one byte
                error = struct.pack("!HHI12s", 0x0111, len(attribute), 0x2112A442, bytes(12))
                for client in [*world.turn.core.allocations]:
                    world.turn._send(error + attribute, client)
                await asyncio.sleep(1)
                assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
                for number, end in enumerate(ends):
                    with world.where(end.name):
                        await end.play(number, 1)
                await asyncio.sleep(0.5)
                assert [end.got for end in ends] == [[1], [0]]

        simulated(main())

    def test_a_check_without_a_priority_makes_no_pair(self):
        """RFC 8445 section 7.1.1 demands one."""

        async def main():
            async with meeting(OPEN, OPEN) as (world, one, other):
                await join(world, one, other)
                before = pair_count(one.agent)
                check = Message(Method.BINDING, Class.REQUEST)
                socket = one.agent.pairs[0].protocol
                one.agent.check_incoming(check, ("192.0.2.1", 5000), socket)
                assert pair_count(one.agent) == before

        simulated(main())


class TestRealSockets:
    @pytest.mark.parametrize("kinds", [*itertools.product([IceAgent, Connection], repeat=2)])
    async def test_two_agents_connect(self, kinds):
        ends = [kind(ice_controlling=False) if kind is Connection else kind() for kind in kinds]
        ends[0].ice_controlling = True
        try:
            for end in ends:
                await end.gather_candidates()
            for end, far in (ends, ends[::-1]):
                end.remote_username, end.remote_password = far.local_username, far.local_password
                for candidate in far.local_candidates:
                    await end.add_remote_candidate(candidate)
            async with asyncio.timeout(30):
                await asyncio.gather(*(end.connect() for end in ends))
                data = RTP + bytes(20)
                for end, far in (ends, ends[::-1]):
                    await end.send(data)
                    assert await far.recv() == data
        finally:
            await asyncio.gather(*(end.close() for end in ends))

    async def test_closing_ends_a_connect_that_waits(self):
        agent = IceAgent()
        await agent.gather_candidates()
        agent.remote_username, agent.remote_password = "abcd", "a" * 22
        connecting = asyncio.create_task(agent.connect())
        await asyncio.sleep(0)
        await agent.close()
        with pytest.raises(ConnectionError):
            await connecting

    async def test_names_of_mdns_hold_up_nothing(self):
        agent = IceAgent()
        line = "1 1 udp 2130706431 {} 50000 typ host"
        for name in "nobody-1.local", "nobody-2.local":
            await agent.add_remote_candidate(Candidate.from_sdp(line.format(name)))
        await agent.add_remote_candidate(Candidate.from_sdp(line.format("192.0.2.1")))
        assert [each.host for each in agent.remote_candidates] == ["192.0.2.1"]
        await agent.close()


def test_a_second_copy_of_a_packet_is_dropped_by_srtp():
    """So data may go over two pairs while the selected one changes (RFC 3711 §3.3.2)."""
    key = bytes(range(30))
    policies = [
        Policy(key=key, ssrc_type=kind)
        for kind in (Policy.SSRC_ANY_OUTBOUND, Policy.SSRC_ANY_INBOUND)
    ]
    sender, receiver = (Session(policy=policy) for policy in policies)
    packet = sender.protect(bytes((128, 96, 0, 1)) + bytes(28))
    assert receiver.unprotect(packet)
    with pytest.raises(SrtpError, match="replay"):
        receiver.unprotect(packet)


def test_a_third_party_gets_few_checks():
    """A peer names a hundred ports of a host that knows nothing of it."""

    async def main():
        agent, now_s = IceAgent(), asyncio.get_running_loop().time
        began_s, sent = now_s(), 0
        for _ in range(60):
            sent += sum(agent._may_check("203.0.113.9") for _ in range(50))
            await asyncio.sleep(1)
        assert sent <= UNANSWERED_BURST + UNANSWERED_PER_S * (now_s() - began_s) + 1
        assert agent._may_check("203.0.113.10")
        agent._answering.add("203.0.113.9")
        assert all(agent._may_check("203.0.113.9") for _ in range(50))
        await agent.close()

    with simulated_world():
        run_simulated(main())
