"""Places on the simulated internet: their boxes, and the relay's packet counts."""

import pytest

from jamlab.ice.file import embedded_configurations
from jamlab.measure.acceptance.simulated_homes import at_home
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, FirewallType
from jamlab.networks.model.packet import Packet
from jamlab.networks.model.place import Place
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world

HOME = Place("home", ((PORT_RESTRICTED,),))
OFFICE = Place("office", ((FirewallType(udp_blocked=True), PORT_RESTRICTED),))
RTP, RTCP, STUN = (bytes(start) + bytes(20) for start in ((0x80, 96), (0x81, 200), (0, 1)))
HOMES = {"player 1": HOME, "player 2": OFFICE}


def in_world(use, configuration="STUN+TURN/UDP", homes=HOMES):
    """Return what `use` returns of a world."""

    async def main():
        ice = embedded_configurations()[configuration]
        async with at_home(homes, LinkConfig(delay_s=0.01), ice) as world:
            return use(world)

    with simulated_world():
        return run_simulated(main(), seed=1)


def test_players_have_private_addresses_behind_their_routers():
    addresses = in_world(lambda world: [world.where(name).addresses[0] for name in HOMES])
    assert all(address.startswith("10.") for address in addresses)


def test_there_is_a_relay_where_the_configuration_asks_for_one():
    assert in_world(lambda world: world.relayed_media) == 0
    assert in_world(lambda world: world.turn, "STUN") is None
    assert in_world(lambda world: world.relayed_media, "STUN") == 0


def test_media_is_direct_where_it_does_not_come_from_the_turn_server():
    def use(world):
        (turn,), (player,) = (world.internet.host(name).addresses for name in ("turn", "player-1"))
        for host, source in (("player-1", "203.0.113.1"), ("player-1", turn), ("turn", player)):
            for payload in (RTP, RTCP, STUN):
                arrives = Packet(
                    (source, 4000), (world.internet.host(host).addresses[0], 1), payload
                )
                world.internet.host(host).receive(arrives)
        return world.direct_media

    assert in_world(use) == 1


def test_firewalls_open_and_routers_stay():
    def use(world):
        boxes = world.internet.boxes["player-2-network-1"]
        before = [type(box).__name__ for box in boxes]
        blocked = boxes[0].firewall_type.udp_blocked
        world.open_firewalls("player 2")
        after = world.internet.boxes["player-2-network-1"]
        return (
            before,
            blocked,
            [type(b).__name__ for b in after],
            after[0].firewall_type.udp_blocked,
        )

    before, blocked, after, still_blocked = in_world(use)
    assert before == after == ["Firewall", "Nat"]
    assert blocked
    assert not still_blocked


def test_opening_concerns_one_player_alone():
    def use(world):
        world.open_firewalls("player 1")
        return world.internet.boxes["player-2-network-1"][0].firewall_type.udp_blocked

    assert in_world(use)


async def test_it_needs_a_simulated_loop():
    with pytest.raises(RuntimeError, match="SimulatedLoop"):
        async with at_home(HOMES, LinkConfig(), embedded_configurations()["STUN"]):
            pass
