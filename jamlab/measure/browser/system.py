"""Measurement through real audio I/O: mouth to ear, on a private audio graph."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio_graph.graph import AudioGraph, audio_graph
from jamlab.audio_graph.plan import microphone
from jamlab.audio_graph.tape import Recording
from jamlab.measure.browser.players import Player
from jamlab.measure.browser.sound import Heard, HeardClick
from jamlab.measure.latency.graph_clicks import OwnDelay, click_latencies, measure_own_delay
from jamlab.measure.latency.plan import MAX_LATENCY_S


@asynccontextmanager
async def system_audio(
    metronomes: Mapping[str, Metronome], period_frames: int
) -> AsyncIterator["SystemAudio"]:
    """Run an audio graph with a microphone and a loudspeaker for each player.

    Its own delay is measured first. Raises `AudioGraphError` where there can be no such graph.
    """
    nodes = {node_of(player): metronome for player, metronome in metronomes.items()}
    async with audio_graph(list(nodes), period_frames) as graph:
        audio = SystemAudio(graph, await measure_own_delay(graph), metronomes)
        try:
            yield audio
        finally:
            await audio.end()


def node_of(player: str) -> str:
    """Return a player's name on the graph, whose names have no spaces."""
    return player.replace(" ", "-")


class SystemAudio:
    """The virtual sound cards of players; a `jamlab.measure.browser.sound.Audio`."""

    injected = False

    def __init__(
        self, graph: AudioGraph, own: OwnDelay, metronomes: Mapping[str, Metronome]
    ) -> None:
        self._graph = graph
        self._own = own
        self._metronomes = {node_of(player): each for player, each in metronomes.items()}
        self._players = {node_of(player): player for player in metronomes}
        self._recording: asyncio.Task[Recording] | None = None
        self._begun_s = 0.0
        self.environments: Mapping[str, Mapping[str, str]] = {
            player: graph.environment(node) for node, player in self._players.items()
        }
        self.microphones: Mapping[str, str] = {
            player: microphone(node) for node, player in self._players.items()
        }

    async def play(self, players: Sequence[Player], seconds: float) -> None:
        """Begin to play every player's clicks, and to record all microphones and loudspeakers."""
        self._begun_s = asyncio.get_running_loop().time()
        self._recording = asyncio.create_task(self._graph.record(self._metronomes, seconds))

    async def hear(self, seconds: float) -> Heard:
        """Find the clicks of a time; raises `AudioGraphError`."""
        assert self._recording
        begin_s = asyncio.get_running_loop().time() - self._begun_s
        recording = await self._recording
        return await asyncio.to_thread(self._heard, recording, begin_s, seconds)

    def _heard(self, recording: Recording, begin_s: float, seconds: float) -> Heard:
        """Read the clicks that were emitted from a second of the recording on."""
        found = click_latencies(
            recording,
            self._metronomes,
            own_delay_s=self._own.delay_s,
            max_latency_s=MAX_LATENCY_S,
        )
        clicks = [
            HeardClick(
                self._players[emitter],
                self._players[listener],
                each.click,
                each.spoken_frame / SAMPLE_RATE - begin_s,
                each.delay_s,
                each.confidence,
            )
            for (emitter, listener), readings in found.items()
            for each in readings
            if 0 <= each.spoken_frame / SAMPLE_RATE - begin_s < seconds
        ]
        return Heard(
            clicks,
            error_s=self._own.spread_s,
            pauses_s=recording.punctuality.worst_lateness_s,
            own_delay_s=self._own.delay_s,
            remarks=_remarks(recording),
        )

    async def end(self) -> None:
        """End a recording that nobody waits for any more."""
        if self._recording is not None:
            self._recording.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._recording


def _remarks(recording: Recording) -> list[str]:
    seen = recording.punctuality
    return [f"the machine did not keep the audio graph's time: {seen}"] if seen.disturbed else []
