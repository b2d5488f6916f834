"""Attacks on a session from plain sockets, without any code of this package."""

import asyncio
import contextlib
import itertools
import json
import os
import re
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import aioice.ice
import psutil
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from websockets.asyncio.client import connect

from jamlab.media.quality import LOW_LATENCY
from jamlab.mesh.connection.events import ConnectionState
from jamlab.mesh.link import OFFERS_BURST, OFFERS_PER_S
from jamlab.signaling.hub.limits import Limits
from jamlab.signaling.memory import MemoryChannel
from jamlab.signaling.supabase.channel import SupabaseChannel
from tests.leaks import sockets, until
from tests.mesh.jam import Member

pytestmark = pytest.mark.usefixtures("nothing_left")


def scan(ports, datagrams):
    """Send datagrams to addresses of this machine, as a port scan would."""
    kinds = {
        address[0]: socket.AF_INET6 if ":" in address[0] else socket.AF_INET for address in ports
    }
    for host, kind in kinds.items():
        with socket.socket(kind, socket.SOCK_DGRAM) as stranger:
            for address in ports:
                if address[0] == host:
                    for datagram in datagrams:
                        stranger.sendto(datagram, tuple(address))


class TestDatagrams:
    async def test_a_port_scan_is_not_heard(self):
        """Hundreds of datagrams of every short length to every port: no connection is replaced."""
        before, channel = sockets(), MemoryChannel()
        ada, ben = Member("ada", channel), Member("ben", channel)
        changes = []
        async with ada.session, ben.session:
            await ada.session.wait_connected(30)
            await ben.session.wait_connected(30)
            await until(lambda: ada.hears == {"ben"} and ben.hears == {"ada"}, "for the sound")
            counters = [m.service.playout(p).counters for m, p in ((ada, "ben"), (ben, "ada"))]
            heard = [c.received for c in counters]
            for member in ada, ben:
                member.service.on_connection_state_change(changes.append)
            ports = {address for _, address in sockets() - before}
            for length in range(20):
                for first in 0, 20, 63, 64, 128, 191, 255:
                    scan(ports, [bytes((first,)).ljust(length, b"\0")[:length]] * 4)
                    await asyncio.sleep(0)
            await until(
                lambda: all(c.received > n + 20 for c, n in zip(counters, heard, strict=True)),
                "for more of the sound",
            )
            assert [m.service.connection_state(p) for m, p in ((ada, "ben"), (ben, "ada"))] == [
                ConnectionState.CONNECTED
            ] * 2
            assert changes == []
            assert [
                m.service.playout(p).counters for m, p in ((ada, "ben"), (ben, "ada"))
            ] == counters
            assert [c.corrupt + c.strayed + c.restarted for c in counters] == [0, 0]


KEY = "sb_test_key_77"
TOPIC = "realtime:room"


@asynccontextmanager
async def served():
    """Run ``jamlab serve``; yields its URL. What it opens and computes is its own process's."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jamlab", "serve", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "JAMLAB_HUB_KEY": KEY},
    )
    try:
        line = (await process.stdout.readline()).decode()
        yield re.fullmatch(r"Listening at (ws://\S+)\n", line)[1]
    finally:
        process.kill()
        await process.communicate()


class Eve:
    """A socket to the hub, and words of the protocol; nothing of this package."""

    def __init__(self, ws):
        self.ws = ws
        self._refs = itertools.count(1)

    async def say(self, event, payload):
        """Send a message; returns the status of the reply."""
        ref = str(next(self._refs))
        await self.ws.send(json.dumps(["1", ref, TOPIC, event, payload]))
        while True:
            _, answered, _, heard, payload = json.loads(await self.ws.recv())
            if (answered, heard) == (ref, "phx_reply"):
                return payload["status"]

    async def track(self, said):
        """Say something about oneself; returns the status of the reply."""
        return await self.say("presence", {"type": "presence", "event": "track", "payload": said})

    async def sees(self, name):
        """Wait until somebody is in the room's presence; returns what they say."""
        while True:
            *_, heard, payload = json.loads(await self.ws.recv())
            shown = payload.get("joins", payload) if heard.startswith("presence_") else {}
            if name in shown:
                return shown[name]["metas"][0]

    async def hears(self, kind):
        """Wait until a signal comes; returns its data."""
        while True:
            *_, heard, payload = json.loads(await self.ws.recv())
            if heard == "broadcast" and payload["payload"].get("type") == kind:
                return payload["payload"]["data"]

    async def enter(self, name):
        """Come into the room unseen; returns the status of the join."""
        config = {"broadcast": {"ack": True}, "presence": {"key": name, "enabled": True}}
        return await self.say("phx_join", {"config": config})

    async def join(self, name, said=None):
        """Come into the room and be seen; returns the status of the join."""
        status = await self.enter(name)
        if status == "ok":
            await self.track(said or {})
        return status


@asynccontextmanager
async def eve(url):
    address = f"{url}/websocket?apikey={KEY}&vsn=2.0.0"
    async with connect(address, close_timeout=0.1, ping_interval=None, max_queue=None) as ws:
        yield Eve(ws)


class SlowLink:
    """A way to the hub that can be stopped, as a network is that swallows everything."""

    def __init__(self, url):
        self._hub = urlsplit(url)
        self.flows = asyncio.Event()
        self.flows.set()
        self._writers = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = self._hub._replace(netloc=f"127.0.0.1:{port}").geturl()
        return self

    async def __aexit__(self, *exc_info):
        self.cut()
        self._server.close()
        await self._server.wait_closed()

    def cut(self):
        """Reset every connection, and let new ones flow."""
        self.flows.set()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _carry(self, reader, writer):
        at, to = await asyncio.open_connection(self._hub.hostname, self._hub.port)
        self._writers += [writer, to]
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(self._pass(reader, to), self._pass(at, writer))

    async def _pass(self, reader, writer):
        try:
            while data := await reader.read(4096):
                await self.flows.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def playing(url, url_of_ben=None):
    """Two who hear each other in the hub's room."""
    ada, ben = Member("ada", None), Member("ben", None)
    for member, where in (ada, url), (ben, url_of_ben or url):
        member.session._channel = SupabaseChannel("room", where, KEY)
        member.notices = []
        member.session.on_notice(member.notices.append)
        member.changes = []
        member.service.on_connection_state_change(member.changes.append)
    async with ada.session, ben.session:
        for member, other in (ada, "ben"), (ben, "ada"):
            await member.session.wait_connected(30, other)
            await until(lambda m=member, o=other: m.hears == {o}, f"for {other}'s sound")
        yield ada, ben


def udp_sockets():
    """Return how many sockets for ICE this process has open."""
    return len(psutil.Process().net_connections(kind="udp"))


def frame_lengths(*members):
    """Return the lengths, in frames, of what they encode now."""
    return {member.service._encoder.frame_frames for member in members}


async def play_on(ada, ben):
    """Wait for more of the sound each hears of the other, over the connection of the beginning."""
    for member, other in (ada, "ben"), (ben, "ada"):
        counters = member.service.playout(other).counters
        before = counters.decoded
        await until(lambda c=counters, n=before: c.decoded > n + 5, f"for more of {other}")
        assert {c.connection for c in member.changes if c.peer_id == other} == {1}


class TestGhosts:
    """Who is in the room, and answers nothing."""

    @pytest.mark.slow
    async def test_those_who_never_answer_lengthen_nobody_s_frames(self):
        async with served() as url, playing(url) as (ada, ben), AsyncExitStack() as stack:
            for member in ada, ben:
                member.service.quality = LOW_LATENCY  # whose frames grow from the second peer on
                await until(lambda m=member: frame_lengths(m) == {120}, "for the quality")
            for number in range(20):
                ghost = await stack.enter_async_context(eve(url))
                assert await ghost.join(f"ghost {number}") == "ok"
            for member in ada, ben:
                await until(lambda m=member: len(m.session.members) == 21, "for the ghosts")
                await until(lambda m=member: len(m.service.peers) > 6, "for offers to them")
            assert {member.service.audience for member in (ada, ben)} == {1}
            await play_on(ada, ben)
            assert frame_lengths(ada, ben) == {120}

    @pytest.mark.slow
    async def test_churn_costs_a_bounded_number_of_sockets_and_leaves_nothing(self):
        """Sixty come and go; those who are there make no more offers than they may."""
        addresses = len(aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True))
        loop, open_most = asyncio.get_running_loop(), []
        async with served() as url, playing(url) as (ada, ben):
            tasks, open_before, began_s = len(asyncio.all_tasks()), udp_sockets(), loop.time()
            admitted = 0
            for number in range(60):
                async with eve(url) as ghost:
                    admitted += await ghost.join(f"ghost {number}") == "ok"
                    open_most.append(udp_sockets())
            joins = Limits().joins_burst + Limits().joins_per_s * (loop.time() - began_s + 1)
            assert admitted <= joins
            await play_on(ada, ben)
            for member, other in (ada, "ben"), (ben, "ada"):
                while set(member.session._links) != {other}:  # who vanished is waited for, a while
                    open_most.append(udp_sockets())
                    await asyncio.sleep(0.1)
                assert member.session.members == member.service.peers == {other}
            offers = OFFERS_BURST + OFFERS_PER_S * (loop.time() - began_s) + 1
            assert max(c.connection for m in (ada, ben) for c in m.changes) <= offers + 1
            assert max(open_most) - open_before <= 2 * offers * addresses
            await until(lambda: udp_sockets() == open_before, "for the sockets to close")
            await until(lambda: len(asyncio.all_tasks()) <= tasks, "for the tasks to end")
            await play_on(ada, ben)


class TestNames:
    """Who would be somebody else in the room, and be heard under that name."""

    @pytest.mark.slow
    async def test_a_flood_and_a_copied_presence_make_nobody_another(self):
        """Ben's link stands still, Eve sends as much as she may, and asks for his name."""
        async with served() as url, SlowLink(url) as link, playing(url, link.url) as (ada, ben):
            async with eve(url) as spy, eve(url) as flooder, eve(url) as thief:
                assert await spy.enter("spy") == "ok"
                seen = await spy.sees("ben")
                shown = {name: seen[name] for name in ("instance", "joined_at")}
                assert await flooder.join("eve") == "ok"
                link.flows.clear()
                flood = {"type": "broadcast", "event": "e", "payload": {"x": "x" * 250_000}}
                for _ in range(20):
                    assert await flooder.say("broadcast", flood) == "ok"
                assert await thief.join("ben") == "error"
                assert await flooder.track(shown) == "error"
                link.cut()  # and ben is out of the room
                await until(lambda: ben.notices[-1:] and "lost" in ben.notices[-1].kind)
                assert await thief.join("ben") == "error"
            await until(lambda: "restored" in ben.notices[-1].kind, "for ben to be back")
            await play_on(ada, ben)
            assert ada.hears == {"ben"}

    @pytest.mark.slow
    async def test_another_key_under_a_name_is_told(self):
        """Ben has left, so anybody may be Ben; whoever it is, has other keys."""
        stranger = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        async with served() as url, playing(url) as (ada, ben), eve(url) as thief:
            await ben.session.leave()
            await until(lambda: not ada.service.peers, "for ben to be gone")
            assert await thief.join("ben") == "ok"
            offer = await thief.hears("offer")
            await stranger.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
            await stranger.setLocalDescription(await stranger.createAnswer())
            answer = {"type": "answer", "sdp": stranger.localDescription.sdp}
            signal = {"type": "answer", "senderPeerId": "ben", "targetPeerId": "ada"}
            signal["data"] = {**answer, "attempt": offer["attempt"]}
            broadcast = {"type": "broadcast", "event": "webrtc-signal", "payload": signal}
            assert await thief.say("broadcast", broadcast) == "ok"
            await ada.session.wait_connected(30, "ben")
            await until(lambda: stranger.connectionState == "connected", "at the stranger's")
            await stranger.close()
        told = [(notice.kind, notice.peer_id) for notice in ada.notices]
        assert told[:3] == [(kind, "ben") for kind in ("joined", "joined", "new key")]
