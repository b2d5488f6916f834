"""The measuring rig: a mesh of participants in this process, each with a virtual sound card.

Each card's playback is recorded. Its microphone is silent at first, then plays the metronome or an
echo of the card's playback (as if the loudspeaker touched the microphone).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import numpy as np

from jamlab.audio.card import Recording, Source, VirtualCard
from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.plan import MAX_LATENCY_S, LatencyPlan, PlanError
from jamlab.measure.latency.stages import StreamTimes
from jamlab.media.playout.counters import PlayoutCounters
from jamlab.media.playout.playout import Playout
from jamlab.media.quality import quality_named
from jamlab.mesh.connection.events import RemoteStreamAdded, RemoteStreamEvent
from jamlab.mesh.session import JamSession, Signaling
from jamlab.signaling.memory import MemoryChannel

CONNECT_TIMEOUT_S = 20.0

START_SPREAD_S = 0.02
"""Longer than Opus frames and the usual blocks, so that cards start in any phase of either."""

Where: TypeAlias = Callable[[str], AbstractContextManager[Any]]
"""Returns the context to run the participant of a name in, e.g. its simulated host's."""


def here(name: str) -> AbstractContextManager[Any]:
    """Return a context that does nothing: the participant runs on this machine's network."""
    return nullcontext()


class BusyError(RuntimeError):
    """Raised when a participant is already taking part in a measurement."""


@dataclass
class Participant:
    """One participant on the rig."""

    name: str
    metronome: Metronome
    session: JamSession
    card: VirtualCard
    recording: Recording
    playout_origins: dict[str, int] = field(default_factory=dict)
    busy: bool = False
    """Whether a measurement has the participant's microphone."""

    def click(self) -> None:
        """Play the metronome into the microphone."""
        self.card.source = self.metronome.block

    def echo(self) -> None:
        """Play the card's playback into the microphone."""
        self.card.source = self.recording.block

    @contextmanager
    def playing(self, source: Source) -> Iterator[None]:
        """Play a source into the microphone while the context lasts, then the source before it.

        Raises `BusyError` when another measurement has the microphone.
        """
        if self.busy:
            raise BusyError(f"{self.name!r} is measuring already: wait until it has finished")
        before, self.card.source, self.busy = self.card.source, source, True
        try:
            yield
        finally:
            self.card.source, self.busy = before, False

    def check_audible(self) -> None:
        """Raise `PlanError` when the participant is muted, so that no peer would hear it."""
        if self.session.service.controls.muted:
            raise PlanError(f"{self.name!r} is muted, so its clicks would not be heard: unmute it")

    def note_stream(self, event: RemoteStreamEvent) -> None:
        """Keep the frame of the card at which a peer's playout began."""
        if isinstance(event, RemoteStreamAdded):
            self.playout_origins[event.peer_id] = self.card.counters.blocks * self.card.block_frames

    def playout(self, peer: str) -> Playout | None:
        """Return a peer's playout buffer; None without a connection, or before its stream."""
        service = self.session.service
        return service.playout(peer) if peer in service.peers else None

    def counters(self, peer: str, *, beginning: bool = False) -> dict[str, int]:
        """Return the counters of a peer's stream and of the card.

        At the `beginning` of a stretch, frames concealed since the last packet are left out: if
        the next packet says that they were never sent, the counter falls, and its increase would
        be negative. A stream of which nothing has come yet has counted nothing.
        """
        playout = self.playout(peer)
        counted = asdict(playout.counters if playout else PlayoutCounters())
        if playout and beginning:
            counted["concealed_frames"] -= playout.undecided_frames
        return {
            **counted,
            "card_blocks": self.card.counters.blocks,
            "card_underruns": self.card.counters.underruns,
        }


class Rig:
    """A connected mesh of `Participant` objects; `Rig.build` makes one."""

    def __init__(self, participants: list[Participant]) -> None:
        self.participants = participants

    @classmethod
    @asynccontextmanager
    async def build(
        cls, plan: LatencyPlan, where: Where = here, rng: np.random.Generator | None = None
    ) -> AsyncIterator["Rig"]:
        """Connect every participant with every other; close all when the context ends.

        The generator draws each participant's wait before it starts its card, up to
        `START_SPREAD_S`, so that the cards' blocks are in any phase; without it the cards start at
        once. Raises TimeoutError when the mesh does not connect.
        """
        channel = MemoryChannel()
        async with AsyncExitStack() as stack:
            participants = []
            for name, metronome in plan.metronomes().items():
                participant = rig_participant(name, metronome, lambda _: channel, plan)
                if rng is not None:
                    await asyncio.sleep(rng.uniform(0, START_SPREAD_S))
                with where(name):
                    await stack.enter_async_context(participant.session)
                participants.append(participant)
            for participant in participants:
                await participant.session.wait_connected(CONNECT_TIMEOUT_S)
            yield cls(participants)

    @property
    def pairs(self) -> list[tuple[Participant, Participant]]:
        """All ordered pairs of sender and receiver."""
        return [(a, b) for a in self.participants for b in self.participants if a is not b]

    def stream_counters(self, *, beginning: bool = False) -> dict[tuple[str, str], dict[str, int]]:
        """Return the counters of every stream, by sender and receiver."""
        return {(a.name, b.name): b.counters(a.name, beginning=beginning) for a, b in self.pairs}


def rig_participant(
    name: str, metronome: Metronome, signaling: Signaling, plan: LatencyPlan, room: str = "rig"
) -> Participant:
    """Return a participant of a latency run; enter its session to take part."""
    recording = Recording()
    card = VirtualCard(block_frames=plan.block_frames, recording=recording)
    session = JamSession(
        room,
        name,
        signaling=signaling,
        card=card,
        quality=quality_named(plan.quality),
        delay_bounds=plan.delay_bounds,
        equal_latency=plan.equal_latency,
        history_s=plan.duration_s + 2 * MAX_LATENCY_S,  # stages are read after the measurement
    )
    participant = Participant(name, metronome, session, card, recording)
    session.service.on_remote_stream(participant.note_stream)
    return participant


def stream_times(sender: Participant, receiver: Participant) -> StreamTimes | None:
    """Return the packet times at both ends of a stream; None without packets or a connection."""
    service = sender.session.service
    playout = receiver.playout(sender.name)
    if playout is None or receiver.name not in service.peers:
        return None
    origin = service.timestamp_origin(receiver.name)
    if origin is None:
        return None
    return StreamTimes(
        list(service.sent_frames),
        list(playout.history),
        origin,
        sender.card,
        receiver.card,
        receiver.playout_origins[sender.name],
        service.quality.lookahead_frames / SAMPLE_RATE,
    )


async def wait_until(card: VirtualCard, frame: int) -> None:
    """Wait until a card has passed a frame, or was stopped; on a busy machine cards lag."""
    await asyncio.sleep(max(0.0, card.time_of(frame) - asyncio.get_running_loop().time()))
    block_s = card.block_frames / SAMPLE_RATE
    while card.is_running and card.lag_frames(frame) > card.block_frames:  # noqa: ASYNC110 (no event)
        await asyncio.sleep(block_s)


def difference(after: dict[str, int], before: dict[str, int]) -> dict[str, Any]:
    """Return the increase of each counter."""
    return {name: value - before.get(name, 0) for name, value in after.items()}


def increase(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """Return the increase of each counter; 0 where the stream ended or began anew meanwhile."""
    return {name: max(0, gained) for name, gained in difference(after, before).items()}
