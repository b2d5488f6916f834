"""What bad servers, routers and signalling cost two sessions: little, wherever one way works."""

import asyncio
import math
import random
from dataclasses import replace

import pytest

from jamlab.ice.configuration import IceServer
from jamlab.mesh.notices import NoticeKind
from jamlab.networks.model.packet import TCP, UDP
from jamlab.networks.port_mapping.mapping import MappingProtocol, PortMapping
from jamlab.networks.stun import core as stun
from jamlab.networks.turn.actions import ToPeer
from jamlab.signaling.memory import MemoryChannel
from jamlab.signaling.messages import SignalType
from tests.media.agent.meeting import ALL, HOME, OFFICE, OPEN, TOUGH, TURN, TURN_TCP, simulated

from .test_connecting import pair, trouble

PCP = MappingProtocol.PCP
LIMIT_S = 2.0
"""Longest time to the first sound wherever one way works."""

DEAD = tuple(
    IceServer(f"turn:203.0.113.{n}:3478?transport={over}", "jam", "jam")
    for n in range(1, 11)
    for over in ("udp", "tcp")
)


def relay_nothing(*transports):
    """Return how to make a TURN server that grants everything to clients and relays no data."""

    def spoil(world):
        core = world.turn.core
        receive, receive_from_peer = core.receive, core.receive_from_peer

        def dropping(data, client, now_s):
            actions = receive(data, client, now_s)
            bad = client.transport in transports
            return [each for each in actions if not (bad and isinstance(each, ToPeer))]

        def dropping_from_peer(data, peer, client, now_s):
            action = receive_from_peer(data, peer, client, now_s)
            return None if client.transport in transports else action

        core.receive, core.receive_from_peer = dropping, dropping_from_peer

    return spoil


def answer_late(*transports, by_s=4.0):
    """Return how to make a TURN server whose answers come late."""

    def spoil(world):
        server, loop = world.turn, asyncio.get_running_loop()
        send = server._send

        def send_if_there(payload, client):
            if client.transport == UDP or client in server._connections:
                send(payload, client)

        def late(payload, client):
            answers = payload[0] == 1  # the class of responses (RFC 8489 §5), not of relayed data
            after_s = by_s if answers and client.transport in transports else 0.0
            loop.call_later(after_s, send_if_there, payload, client)

        server._send = late

    return spoil


def grant_one(world):
    """Make a TURN server that grants its users one allocation."""
    world.turn.core._quota = 1


def heard_after(one, other, **others):
    """Return the time until both hear each other, and the trouble they were told of."""

    async def main():
        async with pair(one, other, **others) as both:
            heard_s = await both.heard_s(60.0)
            return heard_s, trouble(both.told)

    return simulated(main)()


SERVERS = {
    "nineteen dead of twenty": {"ice": replace(ALL, servers=(*DEAD[:19], *ALL.servers))},
    "TURN over UDP is silent": {"there": replace(ALL, servers=(TURN_TCP,))},
    "TURN over TCP is silent": {"there": replace(ALL, servers=(TURN,))},
    "TURN over UDP relays nothing": {"spoil": relay_nothing(UDP)},
    "TURN over TCP relays nothing": {"spoil": relay_nothing(TCP)},
    "TURN over UDP is 4 s late": {"spoil": answer_late(UDP)},
    "TURN over TCP is 4 s late": {"spoil": answer_late(TCP)},
    "TURN grants one allocation": {"spoil": grant_one},
}


@pytest.mark.parametrize("servers", SERVERS)
@pytest.mark.parametrize("one", [HOME, TOUGH], ids=lambda place: place.name)
def test_bad_servers_hold_up_nobody(one, servers):
    heard_s, told = heard_after(one, TOUGH, **SERVERS[servers])
    assert heard_s < LIMIT_S
    assert told <= {NoticeKind.SERVERS_USELESS}  # a refusal is told at once, and names the server


@pytest.mark.parametrize("spoil", [relay_nothing(UDP, TCP), answer_late(UDP, TCP), grant_one])
@pytest.mark.parametrize("other", [HOME, OPEN], ids=lambda place: place.name)
def test_where_a_direct_path_works_no_relay_is_missed(other, spoil):
    heard_s, told = heard_after(HOME, other, spoil=spoil)
    assert heard_s < LIMIT_S
    assert told <= {NoticeKind.SERVERS_USELESS}


def test_a_relay_that_answers_late_is_used_as_soon_as_it_has():
    """Three exchanges with the server: challenge, allocation, permission."""
    heard_s, _ = heard_after(TOUGH, TOUGH, spoil=answer_late(UDP, TCP, by_s=4.0))
    assert 8.0 < heard_s < 20.0


@pytest.mark.slow
def test_users_are_told_when_the_only_way_relays_nothing():
    @simulated
    async def main():
        async with pair(TOUGH, TOUGH, spoil=relay_nothing(UDP, TCP)) as both:
            await asyncio.sleep(5.0)
            assert trouble(both.told) <= {NoticeKind.RELAYING}
            await asyncio.sleep(120.0)
            assert not both.hear
            assert NoticeKind.RETRYING in both.told
            assert NoticeKind.NO_AUDIO in both.told

    main()


@pytest.mark.parametrize("places", [(HOME, HOME), (HOME, OPEN), (TOUGH, TOUGH), (HOME, OFFICE)])
def test_a_stun_server_that_lies_about_the_address_costs_nothing_but_its_candidates(
    monkeypatch, places
):
    honest = stun.encode_binding_response
    monkeypatch.setattr(
        stun,
        "encode_binding_response",
        lambda transaction, source: honest(transaction, ("203.0.113.77", source[1])),
    )
    heard_s, told = heard_after(*places)
    assert heard_s < LIMIT_S
    assert told == set()


class Pretender:
    """Asks a router that grants every mapping and forwards nothing."""

    async def mapped(self, internal):
        yield PortMapping(internal, ("203.0.113.9", internal[1]), math.inf, PCP, "192.0.2.1")
        await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("places", [(HOME, HOME), (HOME, OPEN), (TOUGH, TOUGH), (HOME, OFFICE)])
def test_a_router_that_maps_and_does_not_forward_costs_nothing(places):
    heard_s, told = heard_after(*places, mapper=Pretender())
    assert heard_s < LIMIT_S
    assert told == set()


class BadLine(MemoryChannel):
    """A room that loses, repeats, delays and reorders candidates."""

    def __init__(self, seed):
        super().__init__()
        self._rng = random.Random(seed)

    def deliver(self, signal):
        if signal.type is not SignalType.ICE_CANDIDATE:
            super().deliver(signal)
            return
        for _ in range(self._rng.choice((0, 1, 1, 2))):
            delay_s = self._rng.uniform(0.0, 0.3)
            asyncio.get_running_loop().call_later(delay_s, super().deliver, signal)


@pytest.mark.parametrize("seed", range(4))
def test_signalling_that_loses_and_reorders_candidates_costs_little(seed):
    @simulated
    async def main():
        async with pair(HOME, TOUGH, room=BadLine(seed)) as both:
            assert await both.heard_s() < LIMIT_S

    main()
