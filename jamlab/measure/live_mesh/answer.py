"""The answering side of a mesh measurement, for ``jamlab join`` and notebooks.

Any participant in the room may ask. One request is followed at a time, within limits
(`jamlab.measure.live_mesh.messages`); a request that is not followed is one sentence in the log.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from jamlab.measure.latency.participants import BusyError, Participant
from jamlab.measure.live_mesh.messages import REQUEST, MalformedReportError, MeshRequest, busy
from jamlab.measure.live_mesh.take_part import perform
from jamlab.measure.live_mesh.wall_clock import WallClock
from jamlab.mesh.connection.events import PeerReport

log = logging.getLogger(__name__)

Say = Callable[[str], None]
"""Receives a line for the user."""

_MOST_ANSWERS = 8  # under way: one that measures, the others report that we are busy


@asynccontextmanager
async def answering(
    me: Participant, say: Say = log.info, read_clock: Callable[[], WallClock] = WallClock.read
) -> AsyncIterator[None]:
    """Take part in every measurement that is requested while the context lasts.

    `say` receives a line when a measurement begins and when it has ended; the clock is read once
    for each measurement.
    """
    answers: set[asyncio.Task[None]] = set()

    def hear(report: PeerReport) -> None:
        if report.data.get("kind") != REQUEST or len(answers) >= _MOST_ANSWERS:
            return
        try:
            request = _request(report, me.name)
        except MalformedReportError as error:
            log.warning("%s ignores a request of %r: %s", me.name, report.peer_id, error)
            return
        answer = asyncio.create_task(_answer(me, report.peer_id, request, say, read_clock))
        answers.add(answer)
        answer.add_done_callback(answers.discard)

    listen_no_more = me.session.on_report(hear)
    try:
        yield
    finally:
        listen_no_more()
        for answer in answers:
            answer.cancel()
        await asyncio.gather(*answers, return_exceptions=True)


def _request(report: PeerReport, name: str) -> MeshRequest:
    request = MeshRequest.from_data(report.data)
    if not {name, report.peer_id} <= set(request.voices):
        raise MalformedReportError("it does not name a voice for us and for its sender")
    return request


async def _answer(
    me: Participant,
    asker: str,
    request: MeshRequest,
    say: Say,
    read_clock: Callable[[], WallClock],
) -> None:
    try:
        if me.busy:
            await me.session.report(asker, busy(request.token))
            return
        say(f"{asker} measures the mesh: {me.name} clicks for {request.lasts_s:.0f} s")
        report = await perform(me, request, read_clock())
        await me.session.report(asker, report.to_data())
        say(f"{me.name} has sent {asker} its report")
    except BusyError as error:
        log.warning("%s cannot answer %r: %s", me.name, asker, error)
    except Exception:
        log.exception("%s could not take part in the measurement of %r", me.name, asker)
