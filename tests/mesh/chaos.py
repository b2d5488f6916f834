"""Sessions on the simulated internet under random faults of networks, servers and participants.

Four players, each at home behind a NAT of its own, with STUN and TURN; a seed says what befalls
them and when. Signalling is a room in memory with the failings of a real one: the signals of who is
cut off from it wait, and the others hear after a while that it is gone.
"""

import asyncio
import random
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager

import numpy as np

from jamlab.audio.card import VirtualCard
from jamlab.audio.pcm import SAMPLE_RATE, silence
from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.media.quality import Quality
from jamlab.mesh.session import JamSession
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import FULL_CONE, PORT_RESTRICTED, SYMMETRIC
from jamlab.networks.model.topology import HostConfig, LanConfig, Topology
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.networks.stun.server import StunServer
from jamlab.networks.turn.server import TurnServer
from jamlab.signaling.memory import MemoryChannel
from jamlab.signaling.messages import PeerJoined, PeerLeft
from tests.mesh.jam import NAMES, WINDOW, tone, tones_in

PLAYERS = NAMES[:4]
SPARING = Quality("sparing", 48_000, 2880, "restricted_lowdelay")
"""Sixty milliseconds a packet: what matters here is who hears whom, not when."""
BLOCK = 2880
SILENCE = silence(BLOCK)
ACCESS = LinkConfig(delay_s=0.014)
"""A link to the internet; four of them take no whole number of blocks, for a packet that comes with
a block's callback, to the rounding of virtual time, is now in time and now late."""
NATS = dict(zip(PLAYERS, (PORT_RESTRICTED, FULL_CONE, PORT_RESTRICTED, SYMMETRIC), strict=True))
ICE = IceConfiguration(
    "chaos",
    (
        IceServer("stun:stun.jamlab.test:3478"),
        IceServer("turn:turn.jamlab.test:3478?transport=udp", "jam", "jam"),
    ),
)
GONE_AFTER_S = 10.0
"""When a signalling server takes a silent member for gone (WebSocket ping and its timeout)."""


def topology():
    servers = HostConfig("stun", ACCESS), HostConfig("turn", ACCESS)
    homes = (
        LanConfig(f"{name}-home", (HostConfig(name),), (nat,), ACCESS) for name, nat in NATS.items()
    )
    return Topology((*servers, *homes))


class LastSound:
    """What a card played last, as a recording that forgets."""

    def __init__(self):
        self._blocks = deque(maxlen=WINDOW // BLOCK + 2)

    def write(self, block):
        self._blocks.append(block)

    @property
    def tones(self):
        played = np.concatenate(self._blocks) if self._blocks else np.zeros((WINDOW, 2))
        return tones_in(played[-WINDOW:])


class Room(MemoryChannel):
    """A room that can be cut off from its members, one by one."""

    def __init__(self):
        super().__init__()
        self.cut = set()
        self._waiting = deque()
        self._vanished = set()

    def deliver(self, signal):
        if self.cut & {signal.sender_peer_id, signal.target_peer_id}:
            self._waiting.append(signal)
        else:
            super().deliver(signal)

    def restore(self, name):
        """Let a member be heard again; what was said meanwhile is said now."""
        self.cut.discard(name)
        if name in self._vanished:
            self._vanished.discard(name)
            self._tell_others(name, PeerJoined(name))
        for _ in range(len(self._waiting)):
            self.deliver(self._waiting.popleft())

    def vanish(self, name):
        """Tell the others that somebody who is still cut off has gone."""
        if name in self.cut and name in self.members:
            self._vanished.add(name)
            self._tell_others(name, PeerLeft(name))

    def _tell_others(self, name, event):
        for other, member in self._members.items():
            if other != name and other not in self.cut:
                member.hear(event)


class Player:
    """A participant who can be killed and comes back."""

    def __init__(self, name, jam):
        self.name = name
        self._jam = jam
        self.session = None
        self._tone = tone(name)(0, SAMPLE_RATE + BLOCK)

    def play(self, start, frames):
        """Sound while somebody listens: silence costs a tenth to encode."""
        offset = start % SAMPLE_RATE  # every tone is a whole number of periods a second
        return self._tone[offset : offset + frames] if self._jam.listening else SILENCE

    async def start(self):
        self.sound = LastSound()
        card = VirtualCard(self.play, block_frames=BLOCK, recording=self.sound)
        self.session = JamSession(
            "room",
            self.name,
            signaling=lambda _: self._jam.room,
            card=card,
            quality=SPARING,
            ice=ICE,
            rng=random.Random(self.name),
        )
        with self._jam.net.host(self.name):
            await self.session.__aenter__()

    async def kill(self):
        """Die without a word: nothing of what it still does gets out."""
        line = self._jam.net.lines[self.name]
        line.cut = True
        await self.session.leave()
        line.cut = False
        self._jam.net.readdress(self.name)  # what was under way to the dead is not for the living


class Jam:
    """Everything a mishap can befall."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.net = Internet(topology())
        self.room = Room()
        self.players = {name: Player(name, self) for name in PLAYERS}
        self.log = []
        self.listening = False

    async def open_turn(self):
        with self.net.host("turn") as host:
            self.turn = TurnServer(
                host.addresses[0], 3478, users={"jam": "jam"}, rng=random.Random(1)
            )
            await self.turn.__aenter__()

    # What can happen

    async def killed(self, name):
        await self.players[name].kill()
        await asyncio.sleep(self.rng.uniform(0.1, 4))
        await self.players[name].start()

    async def signalling_restarts(self, _name):
        self.room.cut.update(PLAYERS)
        await asyncio.sleep(self.rng.uniform(0.5, 8))
        for name in self.rng.sample(PLAYERS, len(PLAYERS)):
            self.room.restore(name)
            await asyncio.sleep(self.rng.uniform(0, 0.5))

    async def cut_off(self, name, for_s):
        self.net.lines[f"{name}-home"].cut = True
        self.room.cut.add(name)
        vanishing = asyncio.get_running_loop().call_later(GONE_AFTER_S, self.room.vanish, name)
        await asyncio.sleep(for_s)
        vanishing.cancel()
        self.net.lines[f"{name}-home"].cut = False
        await asyncio.sleep(self.rng.uniform(0, 2))
        self.room.restore(name)

    async def cut_for_1_s(self, name):
        await self.cut_off(name, 1)

    async def cut_for_5_s(self, name):
        await self.cut_off(name, 5)

    async def cut_for_40_s(self, name):
        await self.cut_off(name, 40)

    async def turn_restarts(self, _name):
        await self.turn.__aexit__(None, None, None)
        await asyncio.sleep(self.rng.uniform(1, 10))
        await self.open_turn()

    async def nat_reboots(self, name):
        for box in self.net.boxes[f"{name}-home"]:
            box.reboot()

    async def address_changes(self, name):
        self.net.readdress(name)

    async def loses_a_fifth(self, name):
        line = self.net.lines[f"{name}-home"]
        line.impair(LinkConfig(delay_s=0.015, loss=0.2, burst_packets=2))
        await asyncio.sleep(self.rng.uniform(2, 8))
        line.impair(ACCESS)

    MISHAPS = (
        killed,
        signalling_restarts,
        cut_for_1_s,
        cut_for_5_s,
        cut_for_40_s,
        turn_restarts,
        nat_reboots,
        address_changes,
        loses_a_fifth,
    )

    # Who hears whom

    def deaf(self):
        """Who does not hear exactly the others."""
        everybody = set(PLAYERS)
        return {
            name: sorted(player.sound.tones)
            for name, player in self.players.items()
            if player.sound.tones != everybody - {name}
        }

    async def all_hear_all(self, within_s):
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self.listening = True
        while True:
            await asyncio.sleep(1)
            if not self.deaf():
                break
            if loop.time() - began_s > within_s:
                raise AssertionError(f"after {within_s:g} s: {self.deaf()}; {self.log}")
        self.listening = False
        return loop.time() - began_s


@asynccontextmanager
async def open_world(jam):
    """Open the servers and let everybody join."""
    async with AsyncExitStack() as stack:
        with jam.net.host("stun") as host:
            await stack.enter_async_context(StunServer(host.addresses, 3478))
        await jam.open_turn()
        stack.push_async_callback(lambda: jam.turn.__aexit__(None, None, None))
        for player in jam.players.values():
            await player.start()
            stack.push_async_callback(lambda p=player: p.session.leave())
        yield


async def play(seed, mishaps=2, within_s=60.0):
    """Play through a schedule; returns what happened and how long it took to hear all again."""
    jam = Jam(seed)
    async with open_world(jam):
        await jam.all_hear_all(30)
        async with asyncio.TaskGroup() as schedule:
            names = jam.rng.sample(PLAYERS, mishaps)  # one each: who is dead cannot be cut off
            for name, mishap in zip(names, jam.rng.sample(jam.MISHAPS, mishaps), strict=True):
                jam.log.append((mishap.__name__, name))
                schedule.create_task(mishap(jam, name))
                await asyncio.sleep(jam.rng.uniform(0, 4))
        took_s = await jam.all_hear_all(within_s)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"still running: {left}"
    return jam.log, took_s


def chaos(seed, **options):
    """Play through a schedule in virtual time."""
    with simulated_world():
        return run_simulated(play(seed, **options), seed=seed)
