"""A member of a room that floods, churns, lies and sends rubbish, for an hour if need be.

Four sessions on the simulated internet, and an attacker written without the package's own client:
it has places in the room, as much as the hub's limits give to one address, a stock connection of
aiortc, and a UDP socket. It does not stop; what counts is that the musicians do not notice.
"""

import asyncio
import contextlib
import gc
import os
import random
import re
from collections import Counter

import numpy as np
import psutil
from aiortc import (
    InvalidStateError,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import AudioStreamTrack
from aiortc.rtp import RtpPacket
from aiortc.sdp import candidate_from_sdp

from jamlab.networks.model.topology import HostConfig, Topology
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.pace import TokenBucket
from jamlab.signaling.channel import NameTakenError
from jamlab.signaling.hub.limits import Limits
from jamlab.signaling.messages import Signal, SignalType
from tests.mesh.chaos import ACCESS, PLAYERS, Jam, open_world, topology

GHOSTS = 6
CALLER = "Eve"  # sorts before the musicians, so that they give way to her offers
TOKEN = "0123456789abcdef"
ADDRESS = re.compile(r"candidate:\S+ 1 udp \d+ ([\d.]+) (\d+) ")


class HostileJam(Jam):
    """Four musicians, and a host of the attacker's."""

    def __init__(self, seed):
        super().__init__(seed)
        homes = topology()
        self.net = Internet(Topology((*homes.members, HostConfig("eve", ACCESS))))


class Eve:
    """The attacker; `done` counts what it did."""

    def __init__(self, jam, seed):
        self.done = Counter()
        self._jam, self._rng = jam, random.Random(seed)
        limits = Limits()
        self._joins = TokenBucket(limits.joins_per_s, limits.joins_burst)
        self._events = TokenBucket(limits.socket_events_per_s, 2 * limits.socket_events_per_s)
        self._places, self._numbers, self._addresses = {}, 0, set()
        self._stock = None

    async def attack(self, for_s):
        """Do everything at once, for so long, and leave."""
        with self._jam.net.host("eve"):
            attacks = (
                self._signals(),
                self._churn(),
                self._names(),
                self._calls(),
                self._datagrams(),
            )
            tasks = [asyncio.create_task(each) for each in attacks]
            try:
                await asyncio.sleep(for_s)
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for name in [*self._places]:
                    await self._leave(name)
                await self._hang_up()

    # The room

    async def _join(self, name):
        """Join within the limits; returns whether it did."""
        if not self._joins.take(1, asyncio.get_running_loop().time()):
            return False
        place = await self._jam.room.join(name)
        listening = asyncio.create_task(self._listen(place))
        self._places[name] = place, listening
        return True

    async def _leave(self, name):
        place, listening = self._places.pop(name)
        await place.leave()
        await listening

    async def _listen(self, place):
        """Learn the musicians' addresses, and take their answers to genuine offers."""
        async for event in place.events():
            if isinstance(event, Signal):
                self._addresses.update(ADDRESS.findall(str(event.data)))
                if event.target_peer_id == CALLER and self._stock is not None:
                    await self._take(self._stock, event)

    async def _take(self, stock, event):
        """Take a musician's answer, and its candidates."""
        with contextlib.suppress(InvalidStateError):
            if event.type is SignalType.ANSWER:
                await stock.setRemoteDescription(RTCSessionDescription(event.data["sdp"], "answer"))
            elif event.type is SignalType.ICE_CANDIDATE and stock.remoteDescription is not None:
                for each in event.data.get("candidates", [event.data]):
                    if each["candidate"]:
                        candidate = candidate_from_sdp(each["candidate"].removeprefix("candidate:"))
                        candidate.sdpMid = "0"
                        await stock.addIceCandidate(candidate)

    async def _say(self, name, kind, peer, data):
        cost = 1 + len(self._jam.room.members)
        if self._events.take(cost, asyncio.get_running_loop().time()) and name in self._places:
            await self._places[name][0].send(Signal(kind, name, peer, data))
            self.done[kind.value] += 1

    async def _churn(self):
        while True:
            self._numbers += 1
            self.done["joins"] += await self._join(f"ghost {self._numbers}")
            ghosts = [name for name in self._places if name.startswith("ghost")]
            if len(ghosts) > GHOSTS:
                await self._leave(self._rng.choice(ghosts))
            await asyncio.sleep(0.5)

    async def _names(self):
        while True:
            try:
                await self._jam.room.join(self._rng.choice(PLAYERS))
                self.done["names taken"] += 1
            except NameTakenError:
                self.done["names refused"] += 1
            await asyncio.sleep(5)

    async def _signals(self):
        """As many signals as the hub carries for one socket."""
        rate = Limits().socket_events_per_s / (1 + len(PLAYERS) + GHOSTS)
        while True:
            await asyncio.sleep(1 / rate)
            ghosts = [name for name in self._places if name != CALLER]
            if ghosts:
                name = self._rng.choice(ghosts)
                await self._say(name, *self._rubbish(name))

    def _rubbish(self, name):
        rng, peer = self._rng, self._rng.choice(PLAYERS)
        voices = {voice: number for number, voice in enumerate([name, peer, *map(str, range(30))])}
        request = {"kind": "mesh request", "token": TOKEN, "bpm": 600.0, "clicks": 200}
        offer = {"type": "offer", "sdp": self._sdp()}
        sound = {"blockFrames": 48_000, "lookaheadFrames": 48_000}
        lies = [
            (SignalType.OFFER, {**offer, "attempt": rng.getrandbits(20)}),
            (SignalType.OFFER, {**offer, "sdp": rng.choice([None, 7, "", "v=0"])}),
            (SignalType.ANSWER, {**offer, "type": "answer", "attempt": rng.randint(1, 9)}),
            (SignalType.ICE_CANDIDATE, {"candidates": [self._candidate() for _ in range(100)]}),
            (SignalType.ICE_CANDIDATE, {"candidate": rng.choice([[], {}, "x" * 1000, None])}),
            (SignalType.REPORT, {**request, "voices": voices}),
            (SignalType.REPORT, {"kind": "mesh report", "token": TOKEN, "hearings": [1] * 99}),
            (SignalType.REPORT, {"kind": "sound change", "frameFrames": 2880, "capture": sound}),
            (SignalType.REPORT, {"deep": [[[[[[[[1]]]]]]]], "long": "x" * 30_000}),
        ]
        kind, data = rng.choice(lies)
        return kind, peer, data

    def _candidate(self):
        host = ".".join(str(self._rng.randint(1, 254)) for _ in range(4))
        line = f"candidate:1 1 udp 2130706431 {host} {self._rng.randint(1, 65535)} typ host"
        return {"candidate": line, "sdpMid": "0", "usernameFragment": self._rng.choice("abcd") * 4}

    def _sdp(self):
        """A description that is right, but for whose it is."""
        digest = ":".join(f"{self._rng.getrandbits(8):02X}" for _ in range(32))
        candidates = "".join(f"a={self._candidate()['candidate']}\r\n" for _ in range(20))
        return (
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
            "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\n"
            "a=rtcp-mux\r\na=rtpmap:96 opus/48000/2\r\na=ice-ufrag:abcd\r\na=ice-pwd:"
            f"{'p' * 24}\r\na=fingerprint:sha-256 {digest}\r\na=setup:actpass\r\n{candidates}"
        )

    # The media

    async def _calls(self):
        """Call a musician by stock aiortc, send rubbish as sound for a while, and call another."""
        while True:
            await self._join(CALLER)
            with contextlib.suppress(ConnectionError):
                await self._call(self._rng.choice(PLAYERS))
            await self._hang_up()
            if CALLER in self._places:
                await self._leave(CALLER)
            await asyncio.sleep(2)

    async def _call(self, peer):
        self._stock = stock = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        sender = stock.addTransceiver(AudioStreamTrack(), "sendonly").sender
        await stock.setLocalDescription(await stock.createOffer())
        offer = {"type": "offer", "sdp": stock.localDescription.sdp}
        await self._say(CALLER, SignalType.OFFER, peer, offer)
        await asyncio.sleep(3)
        if stock.connectionState == "connected":
            self.done["calls"] += 1
            for number in range(1000):
                await sender.transport._send_rtp(self._sound(number))
                await asyncio.sleep(0.01)

    def _sound(self, number):
        """RTP with gaps and any timestamps, of ever another SSRC."""
        rng = self._rng
        timestamp = rng.choice([960 * number, rng.getrandbits(32)])
        packet = RtpPacket(96, 0, 7 * number, timestamp, ssrc=1 + number // 20)
        packet.payload = rng.randbytes(rng.choice([0, 1, 3, 60, 1000]))
        return packet.serialize()

    async def _hang_up(self):
        stock, self._stock = self._stock, None
        if stock is not None:
            await stock.close()

    async def _datagrams(self):
        """Rubbish to every address that a musician has named."""
        loop, rng = asyncio.get_running_loop(), self._rng
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("0.0.0.0", 0))
        try:
            while True:
                for host, port in rng.sample(sorted(self._addresses), min(9, len(self._addresses))):
                    first = rng.choice([0, 1, 20, 22, 63, 64, 128, 191, 200, 255])
                    data = bytes((first,)) + rng.randbytes(rng.choice([1, 11, 19, 60, 1400]))
                    transport.sendto(rng.choice([b"", data]), (host, int(port)))
                    self.done["datagrams"] += 1
                if len(self._addresses) > 500:
                    self._addresses.clear()
                await asyncio.sleep(0.25)
        finally:
            transport.close()


def heard(jam):
    """Return the concealed and the played frames of every musician's every musician."""
    figures = {}
    for name, player in jam.players.items():
        for peer in PLAYERS:
            if peer != name:
                playout = player.session.service.playout(peer)
                counters = playout.counters
                concealed = counters.concealed_frames - playout.undecided_frames
                figures[name, peer] = np.array([concealed, counters.played_frames])
    return figures


def open_sockets(jam):
    return sum(len(host._sockets) for host in jam.net._hosts.values())


async def running_tasks():
    """Return the number of tasks, without those that send a packet at this moment."""
    await asyncio.sleep(0.005)
    return len(asyncio.all_tasks())


def memory_bytes():
    gc.collect()
    return psutil.Process(os.getpid()).memory_info().rss


async def play(seed, for_s, settle_s):
    """Let Eve attack for a time; returns what the musicians have to complain of, and what she did.

    Shares of concealed sound are of the worst pair. Tasks and connections are those left over when
    she has been gone for a while, memory what the second half of her time added. A relay that a
    connection asked for as it was given up ends with its allocation, after 600 s (RFC 8656 §3.2).
    """
    jam = HostileJam(seed)
    async with open_world(jam):
        await jam.all_hear_all(30)
        await asyncio.sleep(60)  # what a connection keeps while it is young is gone
        services = {name: player.session.service for name, player in jam.players.items()}
        numbers = {(n, p): s._peers[p].number for n, s in services.items() for p in s.peers}
        tasks, sockets, before = await running_tasks(), open_sockets(jam), heard(jam)
        eve = Eve(jam, seed)
        for _ in range(2):
            used = memory_bytes()
            await eve.attack(for_s / 2)
        during = heard(jam)
        grown = memory_bytes() - used
        await asyncio.sleep(settle_s)
        await jam.all_hear_all(30)
        shares = [
            (during[pair] - before[pair])[0] / max((during[pair] - before[pair]).sum(), 1)
            for pair in before
        ]
        now = {(n, p): s._peers[p].number for n, s in services.items() for p in s.peers}
        complaints = {
            "concealed": max(shares),
            "names taken": eve.done["names taken"],
            "connections replaced": sum(
                now.get(pair) != number for pair, number in numbers.items()
            ),
            "connections left": len(now) - len(numbers),
            "sockets left": open_sockets(jam) - sockets,
            "tasks left": await running_tasks() - tasks,
            "memory_bytes": grown,
        }
        return complaints, eve.done


def hostile(seed, for_s=3600.0, settle_s=700.0):
    """Play through a hostile time, in virtual time."""
    with simulated_world():
        return run_simulated(play(seed, for_s, settle_s), seed=seed)
