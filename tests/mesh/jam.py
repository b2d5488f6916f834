"""A session under test: participants with one tone each, and the detection of these tones."""

import asyncio
import itertools
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import numpy as np

from jamlab.audio.card import CardCounters, Recording, VirtualCard
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.quality import Quality
from jamlab.mesh.connection.events import ConnectionState
from jamlab.mesh.service import WebRTCAudioService
from jamlab.mesh.session import JamSession
from jamlab.signaling.memory import MemoryChannel
from tests.leaks import until

CHEAP = Quality("cheap", 64_000, 1920, "audio")
"""Few packets: six participants in one process on a slow core should not wait for each other."""

BLOCK = 480
AMPLITUDE = 0.1
WINDOW = SAMPLE_RATE // 4

# No tone is another's harmonic, sum or difference; each is a whole number of periods per window.
TONES_HZ = {"ada": 440, "ben": 700, "cleo": 1132, "dan": 1712, "eva": 2596, "fay": 3868}
NAMES = tuple(TONES_HZ)


def tone(name):
    """The sound before one participant's microphone."""
    step = 2 * np.pi * TONES_HZ[name] / SAMPLE_RATE

    def source(start, frames):
        wave = AMPLITUDE * np.sin(step * np.arange(start, start + frames))
        return np.repeat(wave.astype(np.float32)[:, None], 2, axis=1)

    return source


def tones_in(block):
    """Names of those whose tones are in a block of sound, by their spectral lines."""
    window = np.hanning(len(block))[:, None]
    times = np.arange(len(block)) / SAMPLE_RATE
    heard = set()
    for name, hz in TONES_HZ.items():
        line = np.exp(-2j * np.pi * hz * times)[:, None] * window
        level = 2 * np.abs((block * line).sum(axis=0)) / window.sum()
        if level.min() > AMPLITUDE / 4:
            heard.add(name)
    return heard


class Player:
    """What a participant plays and hears."""

    def __init__(self, name):
        self.name = name
        self.recording = Recording()
        self.card = self.new_card()

    def new_card(self):
        return VirtualCard(tone(self.name), block_frames=BLOCK, recording=self.recording)

    @property
    def hears(self):
        """Names of those in the last quarter of a second it played."""
        return tones_in(self.recording.block(len(self.recording) - WINDOW, WINDOW))


class Member(Player):
    """A participant of a session."""

    def __init__(self, name, channel, **options):
        super().__init__(name)
        self.session = JamSession(
            "room", name, signaling=lambda _: channel, card=self.card, quality=CHEAP, **options
        )
        self.service = self.session.service


class HandCard:
    """A card whose callbacks the test makes."""

    block_frames = BLOCK
    round_trip_frames = 2 * BLOCK

    def __init__(self):
        self.counters = CardCounters()
        self.too_late = False
        self.callback = None

    def start(self, callback, *, capture=True):
        self.callback = callback

    def stop(self):
        self.callback = None


@asynccontextmanager
async def hearing_ben():
    """Ada's card, driven by hand, and her service, once some of Ben's packets are there."""
    room, card, ben = MemoryChannel(), HandCard(), Player("ben")
    async with (
        JamSession("room", "ada", signaling=lambda _: room, card=card, quality=CHEAP) as ada,
        JamSession("room", "ben", signaling=lambda _: room, card=ben.card, quality=CHEAP),
    ):
        await ada.wait_connected(20)
        playout = ada.service.playout("ben")
        await until(lambda: playout.counters.received > 10)
        yield card, ada.service


class End(Player):
    """A participant without a session, signalled by the test itself."""

    def __init__(self, name, **options):
        super().__init__(name)
        self.states, self.ice_states, self.streams = [], [], []
        self.service = WebRTCAudioService(quality=CHEAP, **options)
        self.service.on_connection_state_change(self.states.append)
        self.service.on_ice_connection_state_change(self.ice_states.append)
        self.service.on_remote_stream(self.streams.append)

    def path(self, peer):
        """The states a connection went through."""
        return [change.state for change in self.states if change.peer_id == peer]

    def ice_path(self, peer):
        """The states of a connection's ICE agent."""
        return [change.state.value for change in self.ice_states if change.peer_id == peer]

    def state(self, peer):
        return self.service.connection_state(peer)

    def decoded(self, peer):
        return self.service.playout(peer).counters.decoded


@asynccontextmanager
async def ends(*names, **options):
    """Participants with running cards, connected to nobody."""
    async with AsyncExitStack() as stack:
        made = []
        for name in names:
            end = End(name, **options)
            await stack.enter_async_context(end.service)
            await end.service.initialize_local_audio(end.card)
            made.append(end)
        yield made


async def signal(a, b):
    """Exchange an offer and an answer."""
    offer = await a.service.create_offer(b.name)
    answer = await b.service.handle_offer(a.name, offer)
    await a.service.handle_answer(b.name, answer)


async def connect(*participants):
    for a, b in itertools.combinations(participants, 2):
        await signal(a, b)
    for a, b in itertools.permutations(participants, 2):
        await until(
            lambda a=a, b=b: a.state(b.name) is ConnectionState.CONNECTED, f"for {a.name}-{b.name}"
        )


async def plays_on(hearer, peer):
    """Wait until more of a peer's packets have been decoded, and its tone is heard."""
    before = hearer.decoded(peer)
    await until(lambda: hearer.decoded(peer) >= before + 3, f"for more of {peer}")
    await until(lambda: peer in hearer.hears, f"to hear {peer}")


@contextmanager
def cut_off(hearer, peer):
    """Let nothing of a peer arrive on the connection that plays, as a broken network does."""
    sockets = hearer.service._peers[peer]._agent._protocols
    for each in sockets:
        each.datagram_received = lambda *_: None
    yield
    for each in sockets:
        del each.datagram_received


async def turns(count):
    """Let the loop go round so many times."""
    for _ in range(count):
        await asyncio.sleep(0)
