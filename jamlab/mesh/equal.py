"""Equal latency: everybody is heard as late as over the slowest path, so that all share one beat.

Where one path is fast and another slow, musicians hear the same beat at different times, and in
different orders. An ensemble plays steadily with a delay that is the same for all, if that delay is
small enough. So each participant reports how late it hears its slowest peer; the greatest of all
reports is the latency of the session, and to the delay of each playout buffer is added what its
path lacks of it.

A path's own latency is the estimate of the live figures less the delay that was added. Estimates
move by some tenths of a millisecond, so their median decides. An addition follows only a difference
of more than `SLACK_S`, and by no more than `STEP_S` for each estimate, which nobody hears. Nobody
waits for a path of more than `MOST_S`: a peer may report anything, and one bad connection must not
delay everybody.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.fields import FieldError, read
from jamlab.mesh.connection.events import PeerReport
from jamlab.mesh.figures import PeerFigures
from jamlab.mesh.service import WebRTCAudioService

if TYPE_CHECKING:
    from jamlab.mesh.session import JamSession

MOST_S = 0.100
"""Greatest latency for which the others wait: what the product calls high."""
SLACK_S = 0.0005
"""Greatest difference that is left alone."""
STEP_S = 0.002
"""Greatest change of an addition at one estimate; there is one a second by default."""

_SAMPLES = 9
_REPORT_EVERY = 5  # samples, though nothing changed: members may be new
SLOWEST_PATH = "slowest path"
"""Kind of the report that states how late a participant hears its slowest peer."""


class SlowestPath(Struct, frozen=True, rename="camel", tag_field="kind", tag=SLOWEST_PATH):
    """Latency of the slowest path to a participant, in seconds, without what it adds itself."""

    latency_s: Annotated[float, Meta(ge=0, le=1)]

    def to_data(self) -> dict[str, Any]:
        """Return the data of a report."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "SlowestPath | None":
        """Return the path that a report states; None for other or invalid reports."""
        if data.get("kind") != SLOWEST_PATH:
            return None
        try:
            return read(data, cls)
        except FieldError:
            return None


class Additions:
    """The delays that a participant adds to its peers' sound; the core, which knows no session."""

    def __init__(self) -> None:
        self._own: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_SAMPLES))
        self._reported: dict[str, float] = {}
        self._added: dict[str, float] = {}

    @property
    def slowest_s(self) -> float:
        """Latency of our slowest path, of those up to `MOST_S`; 0 while none is known."""
        known = (median(samples) for samples in self._own.values())
        return max((each for each in known if each <= MOST_S), default=0.0)

    @property
    def session_s(self) -> float:
        """Latency of the session's slowest path, of those up to `MOST_S`."""
        reported = (each for each in self._reported.values() if each <= MOST_S)
        return max(self.slowest_s, *reported, 0.0)

    def hear(self, peer_id: str, slowest_s: float) -> None:
        """Take a peer's report."""
        self._reported[peer_id] = slowest_s

    def observe(self, peer_id: str, own_s: float) -> float:
        """Take an estimate of a path's own latency, and return the delay to add from now on."""
        samples = self._own[peer_id]
        samples.append(own_s)
        added = self._added.get(peer_id, 0.0)
        lacking = max(0.0, self.session_s - median(samples)) - added
        if abs(lacking) > SLACK_S:
            self._added[peer_id] = added + min(max(lacking, -STEP_S), STEP_S)
        return self._added.get(peer_id, 0.0)

    def forget(self, peer_id: str) -> None:
        """Forget a peer that has left: nobody waits for it any longer."""
        for known in self._own, self._reported, self._added:
            known.pop(peer_id, None)


async def keep_equal(session: "JamSession") -> None:
    """Keep a session's playout delays equal, and report our slowest path, until cancelled.

    It is reported when it has changed, and now and then, for members may be new.
    """
    additions, sampled = Additions(), asyncio.Event()

    def take(figures: PeerFigures) -> None:
        if add_delay(session.service, additions, figures):
            sampled.set()

    with ExitStack() as listening:
        listening.callback(session.on_figures(take))
        listening.callback(session.on_report(lambda report: hear(additions, report)))
        listening.callback(session.on_departure(additions.forget))
        told_s, silent = 0.0, _REPORT_EVERY
        while True:
            await sampled.wait()
            sampled.clear()
            slowest_s, silent = additions.slowest_s, silent + 1
            if abs(slowest_s - told_s) > SLACK_S or silent >= _REPORT_EVERY:
                told_s, silent = slowest_s, 0
                for peer_id in session.members:
                    await session.report(peer_id, SlowestPath(slowest_s).to_data())


def add_delay(service: WebRTCAudioService, additions: Additions, figures: PeerFigures) -> bool:
    """Add to a peer's delay what its path lacks; return False where its latency is unknown."""
    peer_id, one_way_s = figures.peer_id, figures.one_way_s
    playout = service.playout(peer_id) if peer_id in service.peers else None
    if playout is None or one_way_s is None:
        return False
    own_s = max(0.0, one_way_s - playout.added_frames / SAMPLE_RATE)
    playout.add_delay(round(additions.observe(peer_id, own_s) * SAMPLE_RATE))
    return True


def hear(additions: Additions, report: PeerReport) -> None:
    """Take a peer's report; those on other subjects are ignored."""
    if (path := SlowestPath.from_data(report.data)) is not None:
        additions.hear(report.peer_id, path.latency_s)
