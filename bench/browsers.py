"""Browsers as players on an audio graph, for `bench.browser`."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import numpy as np

from jamlab.audio.card import Recording, VirtualCard
from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio_graph.plan import microphone
from jamlab.browsers.engines import Setting
from jamlab.browsers.installed import installed
from jamlab.browsers.launch import browsers
from jamlab.browsers.steps import no_steps
from jamlab.measure.browser.click_paths import Ear, Mouth, latencies
from jamlab.measure.browser.injected import InjectedAudio
from jamlab.measure.browser.instrument import script
from jamlab.measure.browser.plan import SYSTEM, BrowserPlan
from jamlab.measure.browser.players import enter
from jamlab.measure.browser.reference import reference_client
from jamlab.measure.browser.run import measure_browsers
from jamlab.measure.latency.clicks import read_clicks
from jamlab.measure.latency.plan import MAX_LATENCY_S
from jamlab.mesh.session import JamSession
from jamlab.resources import client_folder
from jamlab.signaling.hub.pages import Site, read_pages
from jamlab.signaling.hub.server import Hub
from jamlab.signaling.supabase.channel import SupabaseChannel
from tests.measure.browser.application import application

QUERY = "?auto&name={player}&room={session}"
LOOP = "&loop"
"""What makes the plain page play its own microphone."""
DATA = "&transport=data"


@asynccontextmanager
async def pages(graph, name, query=""):
    """Open the plain page in a browser for each player of a graph."""
    players = {player: graph.environment(player) for player in graph.plan.players}
    with application() as url:
        plan = BrowserPlan(url + QUERY + query, audio=SYSTEM, browser=name, join_timeout_s=90.0)

        def page(player):
            return script(injected=False, microphone_label=microphone(player))

        async with browsers(Setting(installed(name)), players, page) as started:
            if query == LOOP:
                for each in started:
                    await each.page.goto(plan.address(each.player, 0))
            else:
                await enter(plan, started, no_steps, 0)
            yield


async def looped_ms(graph):
    """Return the time from a player's own mouth to its own ear, the median."""
    player = graph.plan.players[0]
    metronome = Metronome(bpm=300.0)
    recording = await graph.record({player: metronome}, 8.0)
    clicks = metronome.clicks_between(SAMPLE_RATE, 6 * SAMPLE_RATE)
    heard = read_clicks(recording.ears[player], metronome, clicks)
    return float(np.nanmedian([each.delay for each in heard])) / SAMPLE_RATE * 1000


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
    """Two pages of the reference client, with clicks inside, and two of jamlab's participants.

    All clocks are this machine's one, so the latency of every ordered pair is known.
    """

    PAGES = "page 1", "page 2"
    NATIVES = "native 1", "native 2"

    def __init__(self):
        names = [*self.PAGES, *self.NATIVES]
        self.metronomes = {name: Metronome(590.0, voice) for voice, name in enumerate(names)}
        self.notices = []

    async def measure(self, seconds):
        """Return the latencies in ms by sender and receiver, NaN for clicks not heard."""
        async with AsyncExitStack() as stack:
            hub = await stack.enter_async_context(Hub(site=Site(read_pages(client_folder()))))
            pages = await self._pages(stack, hub)
            natives = [await self._native(stack, hub, name) for name in self.NATIVES]
            for name, (session, _, _) in zip(self.NATIVES, natives, strict=True):
                for peer in {*self.metronomes} - {name}:
                    await session.wait_connected(60.0, peer)
                session.on_notice(self.notices.append)
            audio = InjectedAudio({name: self.metronomes[name] for name in self.PAGES})
            await audio.play(pages, seconds + 15.0)
            await asyncio.sleep(8.0)
            begin_s, sounds = await audio.record(seconds + MAX_LATENCY_S)
            mouths = {name: sound.mouth for name, sound in sounds.items()}
            ears = {name: sound.ears for name, sound in sounds.items()}
            for name, (_, card, recording) in zip(self.NATIVES, natives, strict=True):
                mouths[name] = Mouth(self.metronomes[name], card.time_of)
                ears[name] = [_ear(card, recording, begin_s, seconds)]
            self.connections = [len(await page.stats()) for page in pages]
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
        players = {name: {} for name in self.PAGES}
        opened = browsers(Setting(installed("chromium")), players, lambda _: script(injected=True))
        return await enter(plan, await stack.enter_async_context(opened), no_steps, 0)

    async def _native(self, stack, hub, name):
        recording = Recording()
        card = VirtualCard(self.metronomes[name].block, block_frames=64, recording=recording)
        session = JamSession(
            "mesh", name, signaling=lambda room: SupabaseChannel(room, hub.url, hub.key), card=card
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
