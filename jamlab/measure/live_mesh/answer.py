"""The answering side of a mesh measurement, for ``jamlab join`` and notebooks.

Any participant in the room may ask. One request is followed at a time, within limits
(`jamlab.measure.live_mesh.messages`), and of each participant a few in a quarter of an hour; a
request that is not followed is one sentence in the log, and the participant is told "busy".
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
from jamlab.pace import TokenBucket

log = logging.getLogger(__name__)

Say = Callable[[str], None]
"""Receives a line for the user."""

REQUESTS_PER_S, REQUESTS_BURST = 1 / 60, 5
"""Limit on the requests of one participant that are followed."""

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
    budgets: dict[str, TokenBucket] = {}

    def hear(report: PeerReport) -> None:
        if report.data.get("kind") != REQUEST or len(answers) >= _MOST_ANSWERS:
            return
        try:
            request = _request(report, me.name)
        except MalformedReportError as error:
            log.warning("%s ignores a request of %r: %s", me.name, report.peer_id, error)
            return
        answer = asyncio.create_task(
            _answer(me, report.peer_id, request, say, read_clock, _budget(budgets, report.peer_id))
        )
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


def _budget(budgets: dict[str, TokenBucket], asker: str) -> TokenBucket:
    """Return the budget of an asker; those that are full again are forgotten."""
    now_s = asyncio.get_running_loop().time()
    for name in [name for name, budget in budgets.items() if budget.is_full(now_s)]:
        del budgets[name]
    return budgets.setdefault(asker, TokenBucket(REQUESTS_PER_S, REQUESTS_BURST))


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
    budget: TokenBucket,
) -> None:
    try:
        if me.busy or not budget.take(1, asyncio.get_running_loop().time()):
            if not me.busy:
                log.warning("%s asks %s for too many measurements: not now", asker, me.name)
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
