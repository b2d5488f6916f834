"""The names that aioice and aiortc read: simulated on a simulated loop, real everywhere else."""

import ast
import asyncio
import datetime
import importlib
import re
import threading
import time
from pathlib import Path

import aioice
import aioice.ice
import aioice.stun
import aiortc
import aiortc.clock
import aiortc.mediastreams
import aiortc.rtcrtpsender
import pytest

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, SYMMETRIC
from jamlab.networks.model.topology import HostConfig, LanConfig
from jamlab.networks.simulated import world
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.networks.stun.server import StunServer
from jamlab.networks.turn.server import TurnServer
from tests.networks.simulated.internets import delay, internet

EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def originals():
    return [getattr(module, name) for module, name, _ in world._REPLACED]


def what_is_seen():
    """Everything random or of this machine, by the names the libraries use."""
    return {
        "transaction": aioice.stun.random_transaction_id(),
        "string": aioice.ice.random_string(22),
        "tie breaker": aioice.ice.secrets.randbits(64),
        "consent": aioice.ice.random.random(),
        "ssrc": aiortc.rtcrtpsender.random32(),
        "sequence": aiortc.rtcrtpsender.random16(),
        "now": aiortc.clock.current_datetime(),
        "time": aiortc.rtcrtpsender.time.time(),
    }


# Replaced and restored


def test_names_are_restored():
    before = originals()
    with simulated_world():
        assert all(new is not old for new, old in zip(originals(), before, strict=True))
        with simulated_world():
            pass
        assert all(new is not old for new, old in zip(originals(), before, strict=True))
    assert originals() == before
    with pytest.raises(KeyError), simulated_world():
        raise KeyError("inside")
    assert originals() == before


def test_a_name_that_moved_is_an_error_and_changes_nothing(monkeypatch):
    before = originals()
    moved = (*world._REPLACED, (aioice.ice, "moved_elsewhere", world._bytes))
    monkeypatch.setattr(world, "_REPLACED", moved)
    with pytest.raises(AttributeError, match="moved_elsewhere"), simulated_world():
        pytest.fail("not reached")
    monkeypatch.undo()
    assert originals() == before


def test_one_seed_decides_all_that_is_seen():
    async def main():
        await asyncio.sleep(2.5)
        with internet(HostConfig("alice", addresses=2, ipv6=True)).host("alice") as alice:
            addresses = aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True)
            assert addresses == [*alice.addresses, *alice.ipv6_addresses]
            ipv6 = aioice.ice.get_host_addresses(use_ipv4=False, use_ipv6=True)
            assert ipv6 == list(alice.ipv6_addresses)
            ipv4 = aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False)
            assert ipv4 == list(alice.addresses)
        return what_is_seen()

    with simulated_world():
        seen, again, other = (run_simulated(main(), seed=seed) for seed in (1, 1, 2))
    assert seen == again
    differing = {key for key in seen if seen[key] != other[key]}
    assert differing == set(seen) - {"now", "time"}
    assert seen["now"] == EPOCH + datetime.timedelta(seconds=2.5)
    assert seen["time"] == EPOCH.timestamp() + 2.5
    assert re.fullmatch("[a-zA-Z0-9+/]{22}", seen["string"])  # RFC 8839 section 5.4
    assert len(seen["transaction"]) == 12


def _check_real(first, second):
    assert all(first[key] != second[key] for key in first if key not in ("now", "time", "sequence"))
    assert abs(first["time"] - time.time()) < 3600
    assert abs((first["now"] - datetime.datetime.now(datetime.UTC)).total_seconds()) < 3600


def test_real_loops_and_no_loop_see_the_real_world():
    async def main():
        return what_is_seen(), aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False)

    real = aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False)
    with simulated_world():
        seen, addresses = asyncio.run(main())
        _check_real(seen, what_is_seen())
    assert addresses == real


def test_other_threads_see_the_real_world_meanwhile():
    seen = []

    async def main():
        thread = threading.Thread(target=lambda: seen.append(what_is_seen()))
        thread.start()
        thread.join()

    with simulated_world():
        for _ in range(2):
            run_simulated(main(), seed=1)
    _check_real(*seen)


# Nothing overlooked

_SOURCES = {"time": {"time"}, "random": None, "secrets": None, "os": {"urandom"}}
"""Modules, and what of them is time or chance; None is everything."""

_KNOWN = {
    ("aioice.ice", "random"),
    ("aioice.ice", "secrets"),
    ("aioice.turn", "time"),
    ("aiortc.mediastreams", "time"),
    ("aiortc.rtcrtpreceiver", "random"),
    ("aiortc.rtcrtpreceiver", "time"),
    ("aiortc.rtcrtpsender", "random"),
    ("aiortc.rtcrtpsender", "time"),
    ("aiortc.rtcsctptransport", "time"),
}
"""Uses that are replaced by replacing the module there."""

_DEFINING = {("aioice.utils", "secrets"), ("aioice.utils", "os"), ("aiortc.utils", "os")}
"""Uses in helpers, which are replaced where they are imported."""

_HARMLESS = {
    ("aiortc.rtcdtlstransport", "os"),  # a certificate's name
    ("aiortc.rtcsctptransport", "os"),  # the key of a cookie nobody else reads
    ("aiortc.rtp", "os"),  # padding
}


def _library_modules():
    for package in (aioice, aiortc):
        root = Path(package.__file__).parent
        for path in sorted(root.glob("*.py")):
            yield f"{package.__name__}.{path.stem}".removesuffix(".__init__"), path


def _uses(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            wanted = _SOURCES.get(node.value.id, set())
            if wanted is None or node.attr in wanted:
                yield node.value.id


def test_every_source_of_time_and_chance_is_replaced_or_known_to_be_harmless():
    """Read from the pinned versions' source, so a new one that has more of them fails here."""
    found = {
        (module, used)
        for module, path in _library_modules()
        for used in _uses(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == _KNOWN | _DEFINING | _HARMLESS
    assert {(module.__name__, name) for module, name, _ in world._REPLACED} >= _KNOWN


def test_helpers_are_replaced_wherever_they_are_imported():
    helpers = {"random_string", "random_transaction_id", "random16", "random32"}
    imported = {
        (module, alias.name)
        for module, path in _library_modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in helpers | {"current_datetime", "get_host_addresses"}
    }
    replaced = {(module.__name__, name) for module, name, _ in world._REPLACED}
    assert imported <= replaced
    for module, name in imported:
        assert getattr(importlib.import_module(module), name).__module__.endswith(".utils")


# aioice and aiortc in it

ACCESS = delay(0.01)


def home(name, nat):
    return LanConfig(f"{name} home", (HostConfig(name),), (nat,), ACCESS)


async def _connect_ice(net, **options):
    """Connect two unmodified agents and return them."""
    agents = []
    for name in ("alice", "bob"):
        with net.host(name):
            agents.append(aioice.Connection(ice_controlling=name == "alice", **options))
            await agents[-1].gather_candidates()
    for agent, other in (agents, agents[::-1]):
        for candidate in other.local_candidates:
            await agent.add_remote_candidate(candidate)
        await agent.add_remote_candidate(None)
        agent.remote_username, agent.remote_password = other.local_username, other.local_password
    connecting = []
    for name, agent in zip(("alice", "bob"), agents, strict=True):
        with net.host(name):
            connecting.append(asyncio.create_task(agent.connect()))
    try:
        await asyncio.gather(*connecting)
    except BaseException:
        await asyncio.gather(*(agent.close() for agent in agents))
        raise
    return agents


def test_ice_connects_on_virtual_time_and_asks_for_consent():
    """An hour of it; data takes the four delays there and back."""

    async def main():
        loop = asyncio.get_running_loop()
        net = internet(HostConfig("stun", ACCESS), *(home(n, PORT_RESTRICTED) for n in names))
        with net.host("stun"):
            server = StunServer(net.host("stun").addresses)
            await server.__aenter__()
        a, b = await _connect_ice(net, stun_server=("stun.jamlab.test", 3478))
        await asyncio.sleep(3600)
        begun_s = loop.time()
        await a.send(b"ping")
        await b.send(await b.recv())
        assert await a.recv() == b"ping"
        assert loop.time() - begun_s == pytest.approx(0.04, abs=1e-9)
        for agent in (a, b):
            await agent.close()
        await server.__aexit__(None, None, None)
        assert not any(host._sockets for host in net.hosts)

    names = ("alice", "bob")
    with simulated_world():
        run_simulated(main())


def test_ice_gathers_ipv6_and_opens_two_stateful_firewalls_with_it():
    """Behind NATs that let nobody through, and without any server."""

    async def main():
        net = internet(*(dual_home(name) for name in ("alice", "bob")))
        a, b = await _connect_ice(net)
        for agent, host in ((a, net.host("alice")), (b, net.host("bob"))):
            offered = [each.host for each in agent.local_candidates]
            assert offered == [*host.addresses, *host.ipv6_addresses]
        await a.send(b"ping")
        assert await b.recv() == b"ping"
        for agent in (a, b):
            await agent.close()

    def dual_home(name):
        host = HostConfig(name, ipv6=True)
        return LanConfig(f"{name} home", (host,), (SYMMETRIC,), ipv6=Ipv6Firewall.STATEFUL)

    with simulated_world():
        run_simulated(main())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_ice_connects_through_turn_where_stun_cannot_help(transport):
    async def main():
        net = internet(HostConfig("turn", ACCESS), *(home(n, SYMMETRIC) for n in ("alice", "bob")))
        users, rng = {"user": "secret"}, asyncio.get_running_loop().random
        with net.host("turn"):
            server = TurnServer(net.host("turn").addresses[0], 0, users=users, rng=rng)
            await server.__aenter__()
        options = {
            "turn_server": server.address,
            "turn_username": "user",
            "turn_password": "secret",
        }
        with pytest.raises(ConnectionError, match="ICE negotiation failed"):
            await _connect_ice(net)
        assert asyncio.get_running_loop().time() == pytest.approx(
            0.5 * (2**7 - 1), abs=1
        )  # seven sends
        a, b = await _connect_ice(net, turn_transport=transport, **options)
        await a.send(b"x" * 1000)
        assert await b.recv() == b"x" * 1000
        for agent in (a, b):
            await agent.close()
        await server.__aexit__(None, None, None)
        await asyncio.sleep(1)
        assert not any(host._sockets for host in net.hosts)

    with simulated_world():
        run_simulated(main())


async def _peer(initiator, inbox, outbox, talk):
    """One participant of a call."""
    peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    heard = asyncio.get_running_loop().create_future()

    def listen(channel):
        channel.on("message", lambda data: heard.done() or heard.set_result(data))
        return channel

    if initiator:
        channel = listen(peer.createDataChannel("talk"))
        channel.on("open", lambda: channel.send("ping"))
        peer.addTrack(aiortc.mediastreams.AudioStreamTrack())
        await peer.setLocalDescription(await peer.createOffer())
        outbox.set_result(peer.localDescription)
        await peer.setRemoteDescription(await inbox)
    else:
        peer.on("datachannel", lambda channel: (listen(channel), channel.send("pong")))
        await peer.setRemoteDescription(await inbox)
        await peer.setLocalDescription(await peer.createAnswer())
        outbox.set_result(peer.localDescription)
    message = await heard
    await asyncio.sleep(talk)
    stats = await peer.getStats()
    await peer.close()
    return message, stats, asyncio.get_running_loop().time()


def test_aiortc_calls_on_virtual_time():
    """DTLS, a data channel, and ten seconds of audio at one packet every 20 ms."""

    async def main():
        loop = asyncio.get_running_loop()
        net = internet(HostConfig("alice", ACCESS), HostConfig("bob", ACCESS))
        boxes, tasks = [loop.create_future() for _ in range(2)], []
        for number, name in enumerate(("alice", "bob")):
            with net.host(name):
                coroutine = _peer(not number, boxes[number], boxes[1 - number], 10.0)
                tasks.append(asyncio.create_task(coroutine))
        return await asyncio.gather(*tasks)

    with simulated_world():
        (heard, sent, _), (also_heard, received, ended_s) = run_simulated(main())
    assert (heard, also_heard) == ("pong", "ping")
    assert 10 < ended_s < 20
    (outbound,) = [one for one in sent.values() if one.type == "outbound-rtp"]
    (inbound,) = [one for one in received.values() if one.type == "inbound-rtp"]
    assert outbound.packetsSent == pytest.approx(500, abs=15)
    assert inbound.packetsReceived == pytest.approx(500, abs=15)
    assert inbound.timestamp - EPOCH == pytest.approx(
        datetime.timedelta(seconds=ended_s), abs=datetime.timedelta(seconds=2)
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_lossy_link_does_not_stop_a_handshake(seed):
    """OpenSSL cannot send again on virtual time; SCTP can, so its data is not spared."""
    lossy = LinkConfig(delay_s=0.01, loss=0.05)

    async def main():
        loop = asyncio.get_running_loop()
        net = internet(HostConfig("alice", lossy), HostConfig("bob", lossy))
        boxes, tasks = [loop.create_future() for _ in range(2)], []
        for number, name in enumerate(("alice", "bob")):
            with net.host(name):
                coroutine = _peer(not number, boxes[number], boxes[1 - number], 10.0)
                tasks.append(asyncio.create_task(coroutine))
        ends = await asyncio.gather(*tasks)
        assert net.lost["link"] > 10
        return [end[0] for end in ends]

    with simulated_world():
        assert run_simulated(main(), seed=seed) == ["pong", "ping"]


def test_audio_is_paced_by_virtual_time():
    async def main():
        track, times_s = aiortc.mediastreams.AudioStreamTrack(), []
        for _ in range(50):
            await track.recv()
            times_s.append(asyncio.get_running_loop().time())
        return times_s

    with simulated_world():
        assert run_simulated(main()) == pytest.approx([0.02 * n for n in range(50)], abs=1e-6)
