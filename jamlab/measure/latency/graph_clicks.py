"""Mouth to ear on an audio graph: the delay of each click from a microphone to each loudspeaker.

A click is looked for twice in one recording: in the emitter's microphone as an application reads it
(the mouth), and in each other player's loudspeaker (the ear). Both come from the same cycles of the
graph, so the difference of the two delays is the path's, no matter when the click was played.

The rig's own delay is read in the same way on wires, microphones linked straight to loudspeakers,
and is taken off every reading.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from jamlab.audio.metronome import CLICK_FRAMES, Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio_graph.graph import AudioGraph
from jamlab.audio_graph.plan import AudioGraphError
from jamlab.audio_graph.tape import Punctuality, Recording
from jamlab.measure.latency.clicks import ClickReading, read_clicks

MAX_LATENCY_S = 2.0
"""Longest latency that is looked for; Firefox takes 0.4 s."""

Pair: TypeAlias = tuple[str, str]
"""Emitter and listener."""

_MOUTH_WINDOW_S = -0.05, 0.5
_OWN_DELAY_METRONOME = Metronome(bpm=480.0)
_OWN_DELAY_S = 3.0
_OWN_WINDOW_S = 0.2
_MOST_OWN_SPREAD_S = 0.1e-3
_LEAST_OWN_SHARE = 0.5  # of the clicks; a cycle that the recorder missed loses some, and moves none


@dataclass(frozen=True, slots=True)
class MouthToEar:
    """The reading of one click that reached its microphone."""

    click: int
    spoken_frame: float
    """Frame of the recording at which it begins in the emitter's microphone."""
    delay_s: float
    """From there to the listener's loudspeaker, less the rig's own; NaN when it was not heard."""
    confidence: float
    """As in `jamlab.measure.latency.clicks.ClickReading`, at the ear."""

    @property
    def heard(self) -> bool:
        """Whether the click was found at the ear."""
        return not math.isnan(self.delay_s)


@dataclass(frozen=True, slots=True)
class OwnDelay:
    """Delay of the rig itself, from all microphones straight to the loudspeakers."""

    delay_s: float
    """Median over all clicks."""
    spread_s: float
    """Largest less least."""
    clicks: int
    punctuality: Punctuality


def click_latencies(
    recording: Recording,
    metronomes: Mapping[str, Metronome],
    *,
    own_delay_s: float = 0.0,
    max_latency_s: float = MAX_LATENCY_S,
) -> dict[Pair, list[MouthToEar]]:
    """Read every click of every emitter at every other player's ear, by ordered pair.

    Clicks so late that `max_latency_s` would exceed the recording are left out, and so are those
    that are not in the emitter's microphone: they were never sent on a path.
    """
    found: dict[Pair, list[MouthToEar]] = {}
    for emitter, metronome in metronomes.items():
        spoken = _spoken(recording, emitter, metronome, max_latency_s)
        for listener in recording.ears:
            if listener != emitter:
                heard = _heard(recording, listener, metronome, spoken, max_latency_s)
                found[emitter, listener] = _differences(spoken, heard, own_delay_s)
    return found


def _spoken(
    recording: Recording, emitter: str, metronome: Metronome, max_latency_s: float
) -> list[ClickReading]:
    """Return the readings at the mouth of the clicks that are found there."""
    last = recording.frames - CLICK_FRAMES - int(max_latency_s * SAMPLE_RATE)
    clicks = metronome.clicks_between(0, max(last, 0))
    low_s, high_s = _MOUTH_WINDOW_S
    readings = read_clicks(
        recording.mouths[emitter], metronome, clicks, min_delay_s=low_s, max_delay_s=high_s
    )
    return [reading for reading in readings if reading.heard]


def _heard(
    recording: Recording,
    listener: str,
    metronome: Metronome,
    spoken: Sequence[ClickReading],
    max_latency_s: float,
) -> list[ClickReading]:
    """Return the readings at an ear of the clicks that were spoken."""
    return read_clicks(
        recording.ears[listener],
        metronome,
        [mouth.index for mouth in spoken],
        min_delay_s=_MOUTH_WINDOW_S[0],
        max_delay_s=max_latency_s,
    )


def _differences(
    spoken: Sequence[ClickReading], heard: Sequence[ClickReading], own_delay_s: float
) -> list[MouthToEar]:
    return [
        MouthToEar(
            click=mouth.index,
            spoken_frame=mouth.onset + mouth.delay,
            delay_s=(ear.delay - mouth.delay) / SAMPLE_RATE - own_delay_s,
            confidence=ear.confidence,
        )
        for mouth, ear in zip(spoken, heard, strict=True)
    ]


async def measure_own_delay(graph: AudioGraph) -> OwnDelay:
    """Measure a graph's own delay, before any application uses it; takes some five seconds.

    All players' microphones are wired to their own loudspeakers at once. Raises `AudioGraphError`
    when half of a player's clicks do not arrive, or the readings differ by more than 0.1 ms.
    """
    players = graph.plan.players
    metronomes = {
        player: Metronome(_OWN_DELAY_METRONOME.bpm, voice=voice)
        for voice, player in enumerate(players)
    }
    async with graph.wired({player: player for player in players}):
        recording = await graph.record(metronomes, _OWN_DELAY_S)
    return own_delay(recording, metronomes)


def own_delay(recording: Recording, metronomes: Mapping[str, Metronome]) -> OwnDelay:
    """Read the rig's own delay in a recording in which every player hears only themselves."""
    delays_s = []
    for player, metronome in metronomes.items():
        spoken = _spoken(recording, player, metronome, _OWN_WINDOW_S)
        heard = _heard(recording, player, metronome, spoken, _OWN_WINDOW_S)
        readings = [each for each in _differences(spoken, heard, 0.0) if each.heard]
        if len(readings) <= _LEAST_OWN_SHARE * len(spoken):
            raise AudioGraphError(
                f"the rig's own delay is unknown: {player}'s clicks do not come through a wire "
                f"({_said(recording.punctuality)})"
            )
        delays_s += [each.delay_s for each in readings]
    spread_s = max(delays_s) - min(delays_s)
    if spread_s > _MOST_OWN_SPREAD_S:
        raise AudioGraphError(
            f"the rig's own delay is unknown: its readings differ by {spread_s * 1000:.2f} ms "
            f"({_said(recording.punctuality)})"
        )
    return OwnDelay(float(np.median(delays_s)), spread_s, len(delays_s), recording.punctuality)


def _said(punctuality: Punctuality) -> str:
    return f"{punctuality}: if the machine is busy, measure when it is not, or with a longer period"
