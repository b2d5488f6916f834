"""Browsers as players on an audio graph, for `bench.browser`."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from bench.latency import real_time
from jamlab.audio.card import Recording, VirtualCard
from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio_graph.plan import microphone
from jamlab.browsers.engines import Setting
from jamlab.browsers.installed import installed
from jamlab.browsers.launch import browsers
from jamlab.browsers.steps import no_steps
from jamlab.measure.browser.click_paths import Ear, Mouth, latencies
from jamlab.measure.browser.get_stats import between
from jamlab.measure.browser.injected import InjectedAudio, ear_of
from jamlab.measure.browser.instrument import script
from jamlab.measure.browser.plan import SYSTEM, BrowserPlan
from jamlab.measure.browser.players import enter, received, snapshots_of
from jamlab.measure.browser.reference import reference_client
from jamlab.measure.browser.run import measure_browsers
from jamlab.measure.latency.clicks import read_clicks
from jamlab.measure.latency.plan import MAX_LATENCY_S
from jamlab.media.playout.delay import DEFAULT_BOUNDS
from jamlab.mesh.session import JamSession
from jamlab.resources import client_folder
from jamlab.signaling.hub.pages import Site, read_pages
from jamlab.signaling.hub.server import Hub
from jamlab.signaling.supabase.channel import SupabaseChannel
from tests.measure.browser.application import application

QUERY = "?auto&name={player}&room={session}"
LOOP = "&play=context&loop"
"""What makes the plain page play its own microphone as well, all by an audio context."""
INSIDE = script(injected=True, recorded=True)
DATA = "&transport=data"
MESH_SETTLES_S = 20.0
"""Time in which browsers that have just started stop to compete for the machine."""
BLOCK_FRAMES = 256
"""Blocks of jamlab's cards: several participants share the loop that drives the browsers."""


@asynccontextmanager
async def pages(graph, name, query="", levers=MappingProxyType({})):
    """Open the plain page in a browser for each player of a graph; yields the players."""
    environments = {player: graph.environment(player) for player in graph.plan.players}
    with application() as url:
        plan = BrowserPlan(url + QUERY + query, audio=SYSTEM, browser=name, join_timeout_s=90.0)

        def page(player):
            own = {"levers": levers, "microphone_label": microphone(player)}
            return script(injected=False, recorded=query == LOOP, **own)

        async with browsers(Setting(installed(name)), environments, page) as started:
            yield await enter(plan, started, no_steps, 0)


async def taken_apart(graph, players, own_delay_s, seconds=8.0):
    """Return from mouth to ear, from page to page, and a page's own input and output, in s.

    All are medians of the same clicks, from the first player to the second. Both pages play the
    first one's microphone by audio contexts: its own page what it captured, the other one what it
    received. Page to page is from one context to the other; input and output from the first
    player's mouth to the first player's ear.
    """
    ada, ben = graph.plan.players
    metronome = Metronome(bpm=300.0)
    frames = [frame for player in players for frame in player.frames]
    for each in frames:
        await each.read_clock()
        await each.record(on=True)
    begin_s = asyncio.get_running_loop().time()
    recording = await graph.record({ada: metronome}, seconds)
    for each in frames:
        await each.record(on=False)
        await each.read_clock()
    clicks = metronome.clicks_between(SAMPLE_RATE, round((seconds - 2.0) * SAMPLE_RATE))
    mouth, own, theirs = (
        _heard_s(Ear(sound, lambda frame: frame / SAMPLE_RATE), metronome, clicks, 0.0)
        for sound in (recording.mouths[ada], recording.ears[ada], recording.ears[ben])
    )
    sent, received_s = [
        _heard_s(ear_of(frame, tap), metronome, clicks, begin_s)
        for player in players
        for frame in player.frames
        for tap in (await frame.taken()).taps
        if tap.kind == "AudioContext"
    ]
    spans = theirs - mouth - own_delay_s, received_s - sent, own - mouth - own_delay_s
    return [float(np.nanmedian(each)) for each in spans]


def _heard_s(ear, metronome, clicks, begin_s):
    """Return when an ear heard each click, NaN for those not heard."""
    origin = round((ear.time_of(0) - begin_s) * SAMPLE_RATE)
    window = {"min_delay_s": -0.05, "max_delay_s": 3.0, "origin": origin}
    found = read_clicks(ear.samples, metronome, clicks, **window)
    return np.array([ear.time_of(each.onset + each.delay - origin) for each in found])


async def plain(**options):
    """Measure the plain page; return the record."""
    with application() as url:
        return await measure_browsers(BrowserPlan(url + QUERY, **options))


async def reference(query="", **options):
    """Measure the reference client; return the record."""
    async with reference_client() as url:
        plan = BrowserPlan(url, **options)
        return await measure_browsers(replace(plan, url=url.replace("&name", f"{query}&name")))


def median_ms(record):
    """Return the median of all clicks, those not heard as infinitely late."""
    return float(np.median(record.clicks["latency_ms"].fillna(np.inf)))


def p95_ms(record):
    """Return the 95th percentile of the worst path."""
    paths = record.clicks.fillna({"latency_ms": np.inf}).groupby(["sender", "receiver"])
    return float(paths["latency_ms"].quantile(0.95, interpolation="higher").max())


class Mesh:
    """Pages of the reference client, with clicks inside, and jamlab's participants, in one room.

    All clocks are this machine's one, so the latency of every ordered pair is known.
    """

    def __init__(self, pages, natives, delay_bounds=DEFAULT_BOUNDS):
        self.delay_bounds = delay_bounds
        self.pages = [f"page {number + 1}" for number in range(pages)]
        self.natives = [f"native {number + 1}" for number in range(natives)]
        names = [*self.pages, *self.natives]
        self.metronomes = {name: Metronome(590.0, voice) for voice, name in enumerate(names)}
        self.notices, self.connections, self.buffers_ms, self.late = [], [], {}, []

    async def measure(self, seconds):
        """Return the latencies in ms by sender and receiver, NaN for clicks not heard."""
        async with AsyncExitStack() as stack:
            stack.enter_context(real_time())
            hub = await stack.enter_async_context(Hub(site=Site(read_pages(client_folder()))))
            pages = await self._pages(stack, hub)
            natives = [await self._native(stack, hub, name) for name in self.natives]
            for name, (session, _, _) in zip(self.natives, natives, strict=True):
                for peer in {*self.metronomes} - {name}:
                    await session.wait_connected(60.0, peer)
                session.on_notice(self.notices.append)
            audio = InjectedAudio({name: self.metronomes[name] for name in self.pages})
            await audio.play(pages, seconds + MESH_SETTLES_S + 7.0)
            await asyncio.sleep(MESH_SETTLES_S)
            before = received(await snapshots_of(pages))
            begin_s = await audio.record(seconds + MAX_LATENCY_S)
            after = received(await snapshots_of(pages))
            self.buffers_ms = {
                path: between(before[path], stream)["jitter_buffer_ms"]
                for path, stream in after.items()
                if path in before
            }
            self.connections = [len(await page.stats()) for page in pages]
            self.late = [card.counters.underruns / card.counters.blocks for _, card, _ in natives]
            self.told = [*self.notices]  # later ones come of the sounds' transfer, which blocks
            sounds = await audio.sounds()
            mouths = {name: sound.mouth for name, sound in sounds.items()}
            ears = {name: sound.ears for name, sound in sounds.items()}
            for name, (_, card, recording) in zip(self.natives, natives, strict=True):
                mouths[name] = Mouth(self.metronomes[name], card.time_of)
                ears[name] = [_ear(card, recording, begin_s, seconds)]
        return {
            (a, b): np.array([each.delay for each in latencies(mouths[a], ears[b], clicks)]) / 48
            for a in mouths
            for b in ears
            if a != b
            for clicks in [mouths[a].clicks(begin_s, begin_s + seconds)]
        }

    async def _pages(self, stack, hub):
        query = "?room=mesh&name={player}"
        plan = BrowserPlan(f"{hub.page_at('127.0.0.1')}{query}#key={hub.key}")
        players = {name: {} for name in self.pages}
        opened = browsers(Setting(installed("chromium")), players, lambda _: INSIDE)
        return await enter(plan, await stack.enter_async_context(opened), no_steps, 0)

    async def _native(self, stack, hub, name):
        recording = Recording()
        block = self.metronomes[name].block
        card = VirtualCard(block, block_frames=BLOCK_FRAMES, recording=recording)
        session = JamSession(
            "mesh",
            name,
            signaling=lambda room: SupabaseChannel(room, hub.url, hub.key),
            card=card,
            delay_bounds=self.delay_bounds,
        )
        await stack.enter_async_context(session)
        return session, card, recording


def _ear(card, recording, begin_s, seconds):
    """Return what a participant's card played from a time on."""
    first = round(card.frame_at(begin_s))
    samples = recording.block(first, int((seconds + MAX_LATENCY_S) * SAMPLE_RATE))[:, 0]
    return Ear(np.array(samples), lambda frame: card.time_of(first + frame))


def run(measurement):
    """Run a measurement to its end."""
    return asyncio.run(measurement)
