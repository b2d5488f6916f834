"""One participant's part in a mesh measurement: playing clicks, searching for others', a report.

::

    start         lead          clicks                  spread + latency
      |------------|-- | -- | -- | -- | -- |--------------------------------|  search, report
                                  heard: the others' clicks, begun up to `SPREAD_S` earlier or later

Each participant starts when the request arrives, so the others' start is not known. But each click
identifies its sender and its number: a few are searched for over the whole recording, and tell
where the rest must be. The search runs on a thread after the last click, while the session goes on.

Times are of this machine's own clock. For another machine to compare its clock, the report has the
arrival times of packets and what our RTP timestamps stand for. Of the packets within each
`WINDOW_S` it has the quickest only, since the others add nothing to the bounds.
"""

import asyncio
import math
import statistics
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE, Block
from jamlab.measure.latency.clicks import ClickReading, read_clicks
from jamlab.measure.latency.participants import Participant, difference, wait_until
from jamlab.measure.latency.plan import MAX_LATENCY_S
from jamlab.measure.live_mesh.messages import (
    MAX_ARRIVALS,
    MAX_CLICKING_S,
    Hearing,
    MeshReport,
    MeshRequest,
)
from jamlab.measure.live_mesh.wall_clock import WallClock
from jamlab.measure.loop_lag import LagProbe
from jamlab.media.playout.counters import PlayedPacket
from jamlab.media.rtp import RTP_TIMESTAMPS, timestamp_difference
from jamlab.mesh.connection.errors import UnknownPeerError
from jamlab.process.pauses import collector_paused

SPREAD_S = 3.0
"""Largest difference between two participants' starts: the time signalling takes."""

WINDOW_S = 0.5
"""The report has one packet per stream for each such stretch."""

KEEP_S = int(MAX_CLICKING_S + 2 * SPREAD_S + MAX_LATENCY_S) + 4
"""Seconds of its card's playback that a participant has to keep."""

_NEAR_S = 0.25  # the latency of a path varies by less
_GAP_FRAMES = SAMPLE_RATE // 10
_PARTS = (4, 7)  # clicks between so many parts of all are searched for until one is found


@dataclass(frozen=True)
class _Performance:
    """A completed performance, before its recording is searched."""

    me: Participant
    start: int
    """Frame of the card at which the performance begins: its frame 0."""
    lag_p99_ms: float
    counted: dict[str, dict[str, int]]
    """Increase of the counters while clicks were played, by peer."""

    @property
    def began_s(self) -> float:
        """Time of frame 0, by the loop's clock."""
        return self.me.card.time_of(self.start)


async def perform(me: Participant, request: MeshRequest, clock: WallClock) -> MeshReport:
    """Take part in a mesh measurement, and return the report, with times by our clock.

    Our participant's recording has to keep `KEEP_S`. Raises `BusyError` when it is measuring
    already.
    """
    start = int(me.card.frame_at(asyncio.get_running_loop().time())) + _GAP_FRAMES
    metronome = request.metronome(me.name)

    def source(at: int, frames: int) -> Block:
        return metronome.block(at - start, frames)

    with me.playing(source), collector_paused(collect=False), LagProbe() as probe:
        before = _counters(me, request, beginning=True)
        await wait_until(me.card, start + int(request.lasts_s * SAMPLE_RATE))
        counted = _gained(_counters(me, request), before)
        lag_p99_ms = probe.lag().p99_s * 1000
    done = _Performance(me, start, lag_p99_ms, counted)
    last_s = request.lasts_s + SPREAD_S + MAX_LATENCY_S
    await wait_until(me.card, start + int(last_s * SAMPLE_RATE))
    readings = await _search(done, request)
    return _report(done, request, readings, clock)


def _counters(
    me: Participant, request: MeshRequest, *, beginning: bool = False
) -> dict[str, dict[str, int]]:
    """Return the counters of every peer's stream, and under our name those of the card."""
    counters = {"": {"blocks": me.card.counters.blocks, "underruns": me.card.counters.underruns}}
    for peer in set(request.voices) & me.session.service.peers:
        counters[peer] = me.counters(peer, beginning=beginning)
    return counters


def _gained(
    after: dict[str, dict[str, int]], before: dict[str, dict[str, int]]
) -> dict[str, dict[str, int]]:
    """Return the increase of each counter; the counters of a restarted stream began at 0."""
    gained = {name: difference(after[name], before.get(name, {})) for name in after}
    return {
        name: counts if min(counts.values()) >= 0 else after[name]
        for name, counts in gained.items()
    }


# The search


async def _search(done: _Performance, request: MeshRequest) -> dict[str, list[ClickReading]]:
    """Find the others' clicks, on a thread that ends soon when this task is cancelled."""
    first = done.start - int(SPREAD_S * SAMPLE_RATE)
    heard = done.me.recording.block(first, len(done.me.recording) - first)[:, 0]
    connected = done.me.session.service.peers - {done.me.name}  # an invented voice costs nothing
    others = [name for name in request.voices if name in connected]
    over = threading.Event()

    def search() -> dict[str, list[ClickReading]]:
        return {
            name: find_clicks(heard, request.metronome(name), request.clicks)
            for name in others
            if not over.is_set()
        }

    searcher = ThreadPoolExecutor(1)
    try:
        return await asyncio.get_running_loop().run_in_executor(searcher, search)
    finally:
        over.set()
        searcher.shutdown(wait=False)


def find_clicks(
    heard: NDArray[np.float32], metronome: Metronome, clicks: int
) -> list[ClickReading]:
    """Find the clicks of a participant that started at about the same time.

    `heard` is a channel of the card's playback, from `SPREAD_S` before our own start on; metronome
    and number of clicks are the other participant's. There is a reading per click, which was heard
    ``onset + delay`` frames after our own start.
    """
    origin = -int(SPREAD_S * SAMPLE_RATE)
    delays: list[float] = []
    for parts in _PARTS:
        some = sorted({part * clicks // parts for part in range(1, parts)})
        found = read_clicks(
            heard,
            metronome,
            some,
            min_delay_s=-SPREAD_S,
            max_delay_s=SPREAD_S + MAX_LATENCY_S,
            origin=origin,
        )
        delays = [reading.delay for reading in found if reading.heard]
        if delays:
            break
    else:
        return [ClickReading(k, metronome.onset(k), math.nan, 0.0) for k in range(clicks)]
    about_s = statistics.median(delays) / SAMPLE_RATE
    return read_clicks(
        heard,
        metronome,
        range(clicks),
        min_delay_s=about_s - _NEAR_S,
        max_delay_s=about_s + _NEAR_S,
        origin=origin,
    )


# The report


def _report(
    done: _Performance,
    request: MeshRequest,
    readings: dict[str, list[ClickReading]],
    clock: WallClock,
) -> MeshReport:
    me, began_s = done.me, clock.at(done.began_s)
    a_minute = 60 * SAMPLE_RATE
    packet_frames = _packet_frames(me, done.began_s)
    return MeshReport(
        token=request.token,
        began_s=began_s,
        frame_s=(clock.at(me.card.time_of(done.start + a_minute)) - began_s) / a_minute,
        clock_error_s=clock.error_s,
        packet_frames=packet_frames,
        sending_frames=packet_frames + me.session.service.quality.lookahead_frames,
        playing_frames=me.card.round_trip_frames - me.card.block_frames,
        card_blocks=done.counted[""]["blocks"],
        card_underruns=done.counted[""]["underruns"],
        lag_p99_ms=done.lag_p99_ms,
        hearings={
            name: _hearing(done, name, found, clock, began_s)
            for name, found in readings.items()
            if name in me.session.service.peers
        },
    )


def _packet_frames(me: Participant, since_s: float) -> int:
    """Return the length of the shortest packet sent since a time."""
    positions = [
        position for position, sent_s in me.session.service.sent_frames if sent_s > since_s
    ]
    lengths = np.diff(positions)
    return int(lengths.min()) if len(lengths) else 0


def _hearing(
    done: _Performance,
    peer: str,
    found: Sequence[ClickReading],
    clock: WallClock,
    began_s: float,
) -> Hearing:
    me, counted = done.me, done.counted.get(peer, {})
    playout = me.session.service.playout(peer)
    came = [(p.timestamp, p.arrival_s) for p in quickest(playout.history if playout else ())]
    heard_s = (clock.at(me.card.time_of(done.start + x.onset + x.delay)) for x in found)
    arrivals = [(when, clock.at(at_s)) for when, at_s in came if at_s >= done.began_s - SPREAD_S]
    return Hearing.since(
        began_s,
        zip(heard_s, (each.confidence for each in found), strict=True),
        arrivals[-MAX_ARRIVALS:],
        origin=_origin(done, peer),
        played_frames=counted.get("played_frames", 0),
        concealed_frames=counted.get("concealed_frames", 0),
    )


def quickest(packets: Iterable[PlayedPacket]) -> list[PlayedPacket]:
    """Return, for every `WINDOW_S`, the packet with the least time since its RTP timestamp."""
    best: dict[int, tuple[float, PlayedPacket]] = {}
    first: int | None = None
    for packet in packets:
        first = packet.timestamp if first is None else first
        since = timestamp_difference(packet.timestamp, first)
        late_s = packet.arrival_s - since / SAMPLE_RATE
        window = int(packet.arrival_s // WINDOW_S)
        if window not in best or late_s < best[window][0]:
            best[window] = late_s, packet
    return [packet for _, packet in best.values()]


def _origin(done: _Performance, peer: str) -> int | None:
    """Return the RTP timestamp of the performance's frame 0 on our stream to a peer."""
    try:
        origin = done.me.session.service.timestamp_origin(peer)
    except UnknownPeerError:
        return None
    return None if origin is None else (origin + done.start) % RTP_TIMESTAMPS
