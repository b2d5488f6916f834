"""To answer whoever in the room measures its mesh: the part of ``jamlab join`` and of notebooks.

Anybody in the room may ask. One request is followed at a time, and what it asks for is limited
(`jamlab.measure.live_mesh.messages`); what cannot be followed is one sentence in the log.
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
"""Takes a line for the user."""

_MOST_ANSWERS = 8  # under way: one that measures, and some that say that we are busy


@asynccontextmanager
async def answering(
    me: Participant, say: Say = log.info, read_clock: Callable[[], WallClock] = WallClock.read
) -> AsyncIterator[None]:
    """Take part in every measurement that is asked for while the context lasts.

    Parameters
    ----------
    me : Participant
        Who we are; in its session.
    say : callable
        Told when we take part in one, and when that is over.
    read_clock : callable
        Reads our clock, once for each of them.
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
        raise MalformedReportError("it has no voice for both of us")
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
        say(f"{me.name} has told {asker} what it heard")
    except BusyError as error:
        log.warning("%s cannot answer %r: %s", me.name, asker, error)
    except Exception:
        log.exception("%s could not take part in the measurement of %r", me.name, asker)
