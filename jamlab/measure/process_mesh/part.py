"""One participant's part in a session: it clicks, echoes and records by a common timetable.

All processes read one clock, the machine's monotonic one. So the time at which a session begins is
all that has to be agreed upon, and nothing is sent between the processes while sound is measured.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.click_paths import Path
from jamlab.measure.latency.participants import Participant, difference, wait_until
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.run import Stretch, stretches
from jamlab.measure.latency.stages import StreamTimes
from jamlab.measure.process_mesh.emission import Emission
from jamlab.media.playout.counters import PlayedPacket


@dataclass(frozen=True)
class Reception:
    """The packets of a peer that were played."""

    history: list[PlayedPacket]
    playout_origin: int
    lookahead_s: float


@dataclass
class Part:
    """What a participant has played, heard and counted in one session."""

    me: Participant
    plan: LatencyPlan
    session: int
    spans: list[tuple[int, int]] = field(default_factory=list)
    """The card's frames between which clicks count, for each stretch."""
    streams: list[dict[str, Any]] = field(default_factory=list)
    """Rows for the table of streams: a row per peer and stretch."""
    receptions: dict[str, Reception] = field(default_factory=dict)
    emission: Emission | None = None

    @property
    def others(self) -> list[str]:
        """Names of the other participants."""
        return [name for name in self.plan.names if name != self.me.name]

    async def play(self, begin_s: float) -> None:
        """Play all stretches, of which the first begins when the buffers have settled."""
        at_s = begin_s + self.plan.settle_s
        for stretch in stretches(self.plan):
            await asyncio.sleep(at_s - asyncio.get_running_loop().time())
            await self._measure(stretch, at_s)
            at_s += stretch.lasts_s

    async def _measure(self, stretch: Stretch, begun_s: float) -> None:
        """Play one stretch; keep what its packets' times can be read from only now."""
        me = self.me
        if stretch.echoing == me.name:
            me.echo()
        before = {peer: me.counters(peer, beginning=True) for peer in self.others}
        span = stretch.span(me.card, begun_s)
        await wait_until(me.card, stretch.last_frame(span))
        self.streams += [
            stretch.row(self.session)
            | {"sender": peer, "receiver": me.name}
            | difference(me.counters(peer), before[peer])
            for peer in self.others
        ]
        self.spans.append(span)
        me.click()
        if not stretch.echoing:
            self._keep_packets()

    def _keep_packets(self) -> None:
        service = self.me.session.service
        self.emission = Emission.of(self.me, self.spans)
        for peer, origin in self.me.playout_origins.items():
            playout = service.playout(peer)
            if playout is not None:
                lookahead_s = service.quality.lookahead_frames / SAMPLE_RATE
                self.receptions[peer] = Reception(list(playout.history), origin, lookahead_s)

    def paths(self, emissions: dict[str, Emission]) -> Iterator[Path]:
        """Yield the paths that end at our loudspeaker; `emissions` are the others', by name."""
        for number, stretch in enumerate(stretches(self.plan)):
            for emitter, peer in stretch.pairs(self.plan.names):
                if stretch.echoing and emitter == self.me.name:
                    yield self._round_trip(stretch, peer, self.spans[number])
                elif not stretch.echoing and peer == self.me.name:
                    yield self._one_way(stretch, emissions[emitter], number)

    def _round_trip(self, stretch: Stretch, peer: str, span: tuple[int, int]) -> Path:
        return Path(stretch.measurement, self.me, self.me, peer, *span, None, self.session)

    def _one_way(self, stretch: Stretch, emission: Emission, number: int) -> Path:
        return Path(
            stretch.measurement,
            emission.emitter(self.plan.metronomes()[emission.name]),
            self.me,
            self.me.name,
            *emission.spans[number],
            self._times(emission),
            self.session,
        )

    def _times(self, emission: Emission) -> StreamTimes | None:
        reception = self.receptions.get(emission.name)
        origin = emission.origins.get(self.me.name)
        if reception is None or origin is None:
            return None
        return StreamTimes(
            emission.sent,
            reception.history,
            origin,
            emission.emitter(self.me.metronome).card,
            self.me.card,
            reception.playout_origin,
            reception.lookahead_s,
        )


def random_phases_s(count: int, longest_s: float, rng: np.random.Generator) -> list[float]:
    """Return waits before cards start, so that their blocks are in any phase."""
    return [float(wait_s) for wait_s in rng.uniform(0, longest_s, count)]
