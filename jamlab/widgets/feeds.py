"""Feeds: the sources of level meters, which are a session or test signals.

A *feed* gives a row for each participant and, on each call, the sound since the last call. All rows
come from one card, so they have the same number of frames; a participant without sound is silent.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from jamlab.audio.ballistics import Sound
from jamlab.audio.card import Source, VirtualCard
from jamlab.audio.pcm import CHANNELS, Block, silence
from jamlab.mesh.figures import PeerFigures
from jamlab.mesh.session import JamSession
from jamlab.mesh.sound_tap import Exchange, Tap

INPUT = "input"
"""State of the participant's own row: the sound sent."""

NO_CONNECTION = "no connection"
"""State of a participant in the room without a connection to this one."""

SIGNAL = "test signal"

_PAUSE_S = 0.003  # longer than a short block, and short compared with an update of 33 ms
_BLOCK_FRAMES = 480  # test signals need no short blocks


@dataclass(frozen=True, slots=True)
class MeterRow:
    """State and figures in a participant's row of meters."""

    name: str
    state: str
    """A `jamlab.mesh.connection.events.ConnectionState`, or a state of this module."""
    route: str | None = None
    """`jamlab.mesh.figures.PeerFigures.route`."""
    latency_ms: int | None = None
    """Estimated latency from the peer's microphone to our loudspeaker."""


class Feed(Protocol):
    """Interface of the sources of level meters."""

    def start(self) -> None:
        """Start collecting sound."""

    def stop(self) -> None:
        """Stop collecting sound. Stopping twice is harmless."""

    def rows(self) -> list[MeterRow]:
        """Return the current rows, one for each participant."""

    def take(self, names: Sequence[str]) -> Sound:
        """Return the sound of some participants since the last call."""

    async def pause(self) -> None:
        """Wait for the moment with the most time until the card's next callback."""


class SessionFeed:
    """Feed of a session: the participant's own row first, then the peers in order of appearance.

    The session need not be entered; it is only observed.
    """

    def __init__(self, session: JamSession) -> None:
        self._session = session
        self._order: list[str] = []
        self._figures: dict[str, PeerFigures] = {}
        self._tap: Tap | None = None
        self._stop_figures: Callable[[], None] | None = None

    def start(self) -> None:
        """Start collecting sound."""
        self._tap = self._session.service.tap()
        self._stop_figures = self._session.on_figures(self._note)

    def stop(self) -> None:
        """Stop collecting sound. Stopping twice is harmless."""
        if self._tap is not None:
            self._tap.close()
            self._tap = None
        if self._stop_figures is not None:
            self._stop_figures()

    def rows(self) -> list[MeterRow]:
        """Return a row for each participant in the room or still connected."""
        there = self._session.members | self._session.service.peers
        self._order = [name for name in self._order if name in there]
        self._order += sorted(there - {*self._order})
        return [MeterRow(self._session.name, INPUT), *map(self._row, self._order)]

    def take(self, names: Sequence[str]) -> Sound:
        """Return the sound of some participants since the last call."""
        taken = self._tap.take() if self._tap is not None else []
        own = self._session.name
        return _together(names, [_by_name(own, exchange) for exchange in taken])

    async def pause(self) -> None:
        """Wait for the next callback of the card, at most a few milliseconds."""
        if self._tap is not None:
            await self._tap.passed(_PAUSE_S)

    def _note(self, figures: PeerFigures) -> None:
        self._figures[figures.peer_id] = figures

    def _row(self, name: str) -> MeterRow:
        service = self._session.service
        if name not in service.peers:
            self._figures.pop(name, None)
            return MeterRow(name, NO_CONNECTION)
        state, figures = service.connection_state(name), self._figures.get(name)
        if state != "connected" or figures is None:
            return MeterRow(name, state.value)
        latency_s = figures.one_way_s
        latency_ms = None if latency_s is None else round(1000 * latency_s)
        return MeterRow(name, state.value, figures.route, latency_ms)


class SignalFeed:
    """Feed of test signals by name, played by a virtual card; any may come and go at any time."""

    def __init__(self, signals: Mapping[str, Source]) -> None:
        self._signals = signals
        self._blocks: list[dict[str, Block]] = []
        self._frame = 0
        self._card: VirtualCard | None = None

    def start(self) -> None:
        """Start the signals; each continues where it was stopped."""
        self._card = VirtualCard(block_frames=_BLOCK_FRAMES)
        self._card.start(self._play)

    def stop(self) -> None:
        """Stop the signals. Stopping twice is harmless."""
        if self._card is not None:
            self._card.stop()
            self._card = None
            self._blocks.clear()

    def rows(self) -> list[MeterRow]:
        """Return a row for each signal."""
        return [MeterRow(name, SIGNAL) for name in self._signals]

    def take(self, names: Sequence[str]) -> Sound:
        """Return the sound of some signals since the last call."""
        blocks, self._blocks = self._blocks, []
        return _together(names, blocks)

    async def pause(self) -> None:
        """Wait a little."""
        await asyncio.sleep(_PAUSE_S)

    def _play(self, captured: Block) -> Block:
        frames = len(captured)
        signals = self._signals.items()
        self._blocks.append({name: source(self._frame, frames) for name, source in signals})
        self._frame += frames
        return silence(frames)


def _by_name(own: str, exchange: Exchange) -> dict[str, Block]:
    return {**exchange.heard, own: exchange.sent}


def _together(names: Sequence[str], blocks: Sequence[Mapping[str, Block]]) -> Sound:
    """Return the blocks joined, a row per name, with silence for missing blocks."""
    lengths = [max((len(block) for block in part.values()), default=0) for part in blocks]
    sound = np.zeros((len(names), sum(lengths), CHANNELS), dtype=np.float32)
    for row, name in enumerate(names):
        parts = [part.get(name) for part in blocks]
        if all(part is not None for part in parts) and parts:
            np.concatenate([part for part in parts if part is not None], out=sound[row])
            continue
        end = 0
        for part, length in zip(parts, lengths, strict=True):
            if part is not None:
                sound[row, end : end + length] = part
            end += length
    return sound
