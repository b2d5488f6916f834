"""Attacks on a session by attackers who use nothing of this package: sockets and what they send."""

import asyncio
import itertools
import json
import os
import re
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager

import aioice.ice
import psutil
import pytest
from websockets.asyncio.client import connect

from jamlab.media.quality import LOW_LATENCY
from jamlab.mesh.events import ConnectionState
from jamlab.mesh.link import OFFERS_BURST, OFFERS_PER_S
from jamlab.signaling.limits import Limits
from jamlab.signaling.memory import MemoryChannel
from jamlab.signaling.supabase import SupabaseChannel
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

    async def join(self, name, said=None):
        """Come into the room and be seen; returns the status of the join."""
        config = {"broadcast": {"ack": True}, "presence": {"key": name, "enabled": True}}
        status = await self.say("phx_join", {"config": config})
        if status == "ok":
            track = {"type": "presence", "event": "track", "payload": said or {}}
            await self.say("presence", track)
        return status


@asynccontextmanager
async def eve(url):
    address = f"{url}/websocket?apikey={KEY}&vsn=2.0.0"
    async with connect(address, close_timeout=0.1, ping_interval=None, max_queue=None) as ws:
        yield Eve(ws)


@asynccontextmanager
async def playing(url):
    """Two who hear each other in the hub's room."""
    ada, ben = Member("ada", None), Member("ben", None)
    for member in ada, ben:
        member.session._channel = SupabaseChannel("room", url, KEY)
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
