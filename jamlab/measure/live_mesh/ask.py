"""The asking side of a mesh measurement: a request to every participant, and their reports.

All ordered pairs are measured at once, by clicks: each participant plays its own, and searches its
card's playback for the clicks of all others. Participants that do not answer (browsers, earlier
versions, lost connections) are listed as such. `jamlab.measure.live_mesh.pairs` combines the
reports.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from jamlab.measure.latency.participants import Participant
from jamlab.measure.latency.plan import MAX_LATENCY_S, PlanError
from jamlab.measure.live_mesh.messages import (
    BUSY,
    REPORT,
    MalformedReportError,
    MeshReport,
    MeshRequest,
)
from jamlab.measure.live_mesh.record import Answer, MeshRecord, record_of
from jamlab.measure.live_mesh.take_part import SPREAD_S, perform
from jamlab.measure.live_mesh.wall_clock import WallClock
from jamlab.mesh.connection.events import PeerReport

log = logging.getLogger(__name__)

SEARCH_S_PER_CLICK = 0.05
"""Time that a slow machine needs to search for one click."""


async def measure_mesh(
    me: Participant,
    duration_s: float = 10.0,
    *,
    bpm: float | None = None,
    clock: WallClock | None = None,
    patience_s: float | None = None,
) -> MeshRecord:
    """Measure every ordered pair of the participants in the room.

    The clicks last `duration_s`, by default at our metronome's tempo; our clock is read now by
    default. Patience is the time to wait for reports after our own is complete; by default as long
    as the search takes on a slow machine.

    Our part runs on the caller's loop: whatever a notebook does meanwhile affects our figures. The
    record has the loop lag of every participant, ours included.

    Raises `PlanError` when a parameter is out of its range, the room has no other participant, or
    we are muted; and `BusyError` when our participant is measuring already.
    """
    me.check_audible()
    others = sorted(me.session.members)
    request = _request(me, others, duration_s, bpm or me.metronome.bpm)
    if patience_s is None:
        patience_s = (
            2 * SPREAD_S + MAX_LATENCY_S + SEARCH_S_PER_CLICK * request.clicks * len(others)
        )
    async with _answers(me, request, others) as answers:
        for name in others:
            await me.session.report(name, request.to_data())
        ours = await perform(me, request, clock or WallClock.read())
        await answers.wait(patience_s)
    return record_of(request, {me.name: ours, **answers.given})


def _request(me: Participant, others: list[str], duration_s: float, bpm: float) -> MeshRequest:
    if not others:
        raise PlanError(f"{me.name!r} is alone in the room: let another participant join first")
    voices = {name: voice for voice, name in enumerate([me.name, *others])}
    return MeshRequest(secrets.token_hex(8), bpm, round(duration_s * bpm / 60), voices)


class _Answers:
    """The answers of the participants that were asked."""

    def __init__(self, request: MeshRequest, asked: Collection[str]) -> None:
        self.given: dict[str, Answer] = dict.fromkeys(asked)
        self._request = request
        self._awaited = set(asked)
        self._complete = asyncio.Event()

    def hear(self, report: PeerReport) -> None:
        """Take a report that answers our request; ignore any other."""
        peer, data = report.peer_id, report.data
        if peer not in self._awaited or data.get("token") != self._request.token:
            return
        if data.get("kind") == BUSY:
            self._note(peer, "busy")
        elif data.get("kind") == REPORT:
            try:
                self._note(peer, MeshReport.from_data(data, self._request))
            except MalformedReportError as error:
                log.warning("the report of %r cannot be used: %s", peer, error)
                self._note(peer, "not understood")

    def _note(self, peer: str, answer: Answer) -> None:
        self.given[peer] = answer
        self._awaited.discard(peer)
        if not self._awaited:
            self._complete.set()

    async def wait(self, patience_s: float) -> None:
        """Wait until all have answered or the time is over."""
        try:
            async with asyncio.timeout(patience_s):
                await self._complete.wait()
        except TimeoutError:
            log.info("no answer from %s", ", ".join(sorted(self._awaited)))


@asynccontextmanager
async def _answers(
    me: Participant, request: MeshRequest, asked: Collection[str]
) -> AsyncIterator[_Answers]:
    answers = _Answers(request, asked)
    listen_no_more = me.session.on_report(answers.hear)
    try:
        yield answers
    finally:
        listen_no_more()
