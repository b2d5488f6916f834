"""The measuring rig: a real mesh in this process, every participant with a virtual sound card.

What a participant hears is recorded from its card, what it says is chosen: nothing at first, then
its metronome or an echo of what its card plays (a loudspeaker before a microphone, touching it).
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
from jamlab.media.quality import quality_named
from jamlab.mesh.connection.events import RemoteStreamAdded, RemoteStreamEvent
from jamlab.mesh.session import JamSession
from jamlab.signaling.memory import MemoryChannel

CONNECT_TIMEOUT_S = 20.0

START_SPREAD_S = 0.02
"""Opus frames and the usual blocks are shorter, so that cards meet in every phase of both."""

Where: TypeAlias = Callable[[str], AbstractContextManager[Any]]
"""Makes the context a participant of that name runs in, e.g. its host's on a simulated network."""


def here(name: str) -> AbstractContextManager[Any]:
    """Let every participant run on this machine."""
    return nullcontext()


class BusyError(RuntimeError):
    """A participant that is measuring already."""


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
    """Whether a measurement plays into its microphone."""

    def click(self) -> None:
        """Play the metronome into the microphone."""
        self.card.source = self.metronome.block

    def echo(self) -> None:
        """Play what the card plays into the microphone."""
        self.card.source = self.recording.block

    @contextmanager
    def playing(self, source: Source) -> Iterator[None]:
        """Play something into the microphone while the context lasts, then what was there before.

        Raises
        ------
        BusyError
            When another measurement does.
        """
        if self.busy:
            raise BusyError(f"{self.name!r} is measuring already: wait until that is over")
        before, self.card.source, self.busy = self.card.source, source, True
        try:
            yield
        finally:
            self.card.source, self.busy = before, False

    def check_audible(self) -> None:
        """Raise `PlanError` when what we play into the microphone would be heard by nobody."""
        if self.session.service.controls.muted:
            raise PlanError(f"{self.name!r} is muted, so nobody would hear its clicks: unmute it")

    def note_stream(self, event: RemoteStreamEvent) -> None:
        """Remember at which frame of the card a peer's playout began."""
        if isinstance(event, RemoteStreamAdded):
            self.playout_origins[event.peer_id] = self.card.counters.blocks * self.card.block_frames

    def counters(self, peer: str) -> dict[str, int]:
        """Return the counters of a peer's stream and of the card."""
        playout = self.session.service.playout(peer)
        return {
            **(asdict(playout.counters) if playout else {}),
            "card_blocks": self.card.counters.blocks,
            "card_underruns": self.card.counters.underruns,
        }


class Rig:
    """A connected mesh of `Participant`; make one with `Rig.build`."""

    def __init__(self, participants: list[Participant]) -> None:
        self.participants = participants

    @classmethod
    @asynccontextmanager
    async def build(
        cls, plan: LatencyPlan, where: Where = here, rng: np.random.Generator | None = None
    ) -> AsyncIterator["Rig"]:
        """Connect everybody with everybody; leave and close when the context ends.

        Parameters
        ----------
        plan : LatencyPlan
            Who takes part, and how.
        where : callable
            Makes the context each participant runs in.
        rng : numpy.random.Generator, optional
            Draws for how long each waits before it starts its card, up to `START_SPREAD_S`: two
            cards' blocks are in no particular phase. Without it nobody waits.

        Raises
        ------
        TimeoutError
            When the mesh does not connect.
        """
        channel = MemoryChannel()
        async with AsyncExitStack() as stack:
            participants = []
            for name, metronome in plan.metronomes().items():
                participant = _participant(name, metronome, channel, plan)
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
        """Every ordered pair of sender and receiver."""
        return [(a, b) for a in self.participants for b in self.participants if a is not b]

    def stream_counters(self) -> dict[tuple[str, str], dict[str, int]]:
        """Return the counters of every stream, by sender and receiver."""
        return {(a.name, b.name): b.counters(a.name) for a, b in self.pairs}


def _participant(
    name: str, metronome: Metronome, channel: MemoryChannel, plan: LatencyPlan
) -> Participant:
    recording = Recording()
    card = VirtualCard(block_frames=plan.block_frames, recording=recording)
    session = JamSession(
        "rig",
        name,
        signaling=lambda _: channel,
        card=card,
        quality=quality_named(plan.quality),
        history_s=plan.duration_s + 2 * MAX_LATENCY_S,  # stages are read when it is over
    )
    participant = Participant(name, metronome, session, card, recording)
    session.service.on_remote_stream(participant.note_stream)
    return participant


def stream_times(sender: Participant, receiver: Participant) -> StreamTimes | None:
    """Collect what both ends noted about the stream between them, None while it has no packets."""
    service = sender.session.service
    origin = service.timestamp_origin(receiver.name)
    playout = receiver.session.service.playout(sender.name)
    if origin is None or playout is None:
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
    """Wait until a card has passed one of its frames."""
    await asyncio.sleep(max(0.0, card.time_of(frame) - asyncio.get_running_loop().time()))


def difference(after: dict[str, int], before: dict[str, int]) -> dict[str, Any]:
    """Return what counters gained."""
    return {name: value - before.get(name, 0) for name, value in after.items()}
