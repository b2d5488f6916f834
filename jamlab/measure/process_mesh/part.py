"""One participant's part in a session: it clicks, echoes and records by a common timetable.

All processes read one clock, the machine's monotonic one. So the time at which a session begins is
all that has to be agreed upon, and nothing is sent between the processes while sound is measured.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.participants import Participant, increase, wait_until
from jamlab.measure.latency.plan import LatencyPlan, Stretch, stretches
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
            | increase(me.counters(peer), before[peer])
            for peer in self.others
        ]
        self.spans.append(span)
        me.click()
        if not stretch.echoing:
            self._keep_packets()

    def _keep_packets(self) -> None:
        self.emission = Emission.of(self.me, self.spans)
        lookahead_s = self.me.session.service.quality.lookahead_frames / SAMPLE_RATE
        for peer, origin in self.me.playout_origins.items():
            playout = self.me.playout(peer)
            if playout is not None:
                self.receptions[peer] = Reception(list(playout.history), origin, lookahead_s)


def random_phases_s(count: int, longest_s: float, rng: np.random.Generator) -> list[float]:
    """Return waits before cards start, so that their blocks are in any phase."""
    return [float(wait_s) for wait_s in rng.uniform(0, longest_s, count)]
