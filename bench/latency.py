"""``make bench-latency``: jamlab's media path against its bars and against stock aiortc.

Runs alternate between the two, so that both have the same conditions, and each bar is a ratio: to
stock aiortc, to the physical floor, or to a frame. CPU time is the whole process', per participant,
while the mesh plays; the search for clicks follows later and does not count. Both loops have
real-time priority, as with a sound card.
"""

import asyncio
import math
import random
import statistics
import sys
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path as FilePath
from unittest import mock

import numpy as np

from bench.bars import bar, figure, publish
from bench.stock import stock_rig
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.click_paths import Path
from jamlab.measure.latency.participants import Rig, difference
from jamlab.measure.latency.plan import MAX_LATENCY_S, LatencyPlan
from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP, measure_latency
from jamlab.measure.latency.verdicts import aligned_blocks_ms, paths_table
from jamlab.media import rtc
from jamlab.media.quality import LOW_LATENCY
from jamlab.process.pauses import collector_paused
from jamlab.process.precise_loop import run_precisely
from jamlab.process.real_time import RealTime

RUNS = 3
DURATION_S = 30.0
MESH_DURATION_S = 12.0
LOSS = 0.01


def worst(latencies, share):
    """Return a quantile of the worst path's latencies in ms; NaN if a path has no clicks."""
    return float(np.max([np.quantile(path, share) if path else math.nan for path in latencies]))


@contextmanager
def real_time():
    """Give the loop the real-time priority of `jamlab.audio.device.DeviceCard`, where allowed."""
    realtime = RealTime()
    realtime.ask()
    try:
        yield
    finally:
        realtime.give_back()


def pair_run():
    """Measure two participants with the product's own latency run."""
    plan = LatencyPlan(peers=2, duration_s=DURATION_S, round_trip_s=10.0, sessions=RUNS)
    with real_time():
        record = run_precisely(measure_latency(plan))
    paths = paths_table(record)
    ways = dict(iter(paths.groupby("measurement")))
    return {
        "median": ways[ONE_WAY]["median_ms"].max(),
        "p95": ways[ONE_WAY]["p95_ms"].max(),
        "of floor": ways[ONE_WAY]["median_ms"].max() / aligned_blocks_ms(record),
        "concealed": 100 * ways[ONE_WAY]["concealed_share"].max(),
        "round trip": ways[ROUND_TRIP]["median_ms"].max(),
    }


async def play(build, plan, seconds):
    """Play clicks in a mesh; return latencies per path in ms, CPU in %, concealed shares."""
    with collector_paused(), real_time():
        async with build(plan) as rig:
            for participant in rig.participants:
                participant.click()
            await asyncio.sleep(plan.settle_s)
            before = counters(rig)
            cpu_s, wall_s = time.process_time(), time.perf_counter()
            paths = [path_from_now(a, b, seconds) for a, b in rig.pairs]
            await asyncio.sleep(seconds + MAX_LATENCY_S)
            cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
            after = counters(rig)
    concealed = [concealed_share(after[pair], before[pair]) for pair in after]
    return [latencies_ms(path) for path in paths], 100 * cpu_s / wall_s / plan.peers, concealed


def path_from_now(emitter, listener, seconds):
    """Return a path that counts the clicks of the next seconds."""
    start = int(emitter.card.frame_at(now()))
    return Path(
        ONE_WAY, emitter, listener, listener, start, start + int(seconds * SAMPLE_RATE), None
    )


def latencies_ms(path):
    """Return the latency of every click heard on a path."""
    return [
        (reading.delay + path.rounding) / SAMPLE_RATE * 1000
        for reading in path.readings()
        if reading.heard
    ]


def concealed_share(after, before):
    """Return the concealed share of a stream's sound between two counts."""
    gained = difference(after, before)
    due = gained["concealed_frames"] + gained["played_frames"]
    return gained["concealed_frames"] / max(due, 1)


def now():
    return asyncio.get_running_loop().time()


def counters(rig):
    try:
        return rig.stream_counters()
    except AttributeError:  # stock aiortc has no such counters
        return {}


def lossy_divert(drawn):
    """Return a stand-in for `divert_packets` that drops one packet in a hundred."""

    def divert(receiver, on_packet, on_ssrc):
        def maybe(*packet):
            if drawn.random() < LOSS:
                return
            on_packet(*packet)

        return rtc.divert_packets(receiver, maybe, on_ssrc)

    return mock.patch("jamlab.mesh.connection.peer.divert_packets", divert)


def loss_run(seed):
    """Return the rise of the median under loss, and the concealment per lost packet, in frames."""
    plan = LatencyPlan(peers=2)
    medians, shares = [], []
    for patch in (nullcontext(), lossy_divert(random.Random(seed))):
        with patch:
            latencies, _, concealed = run_precisely(play(Rig.build, plan, MESH_DURATION_S))
        medians.append(worst(latencies, 0.5))
        shares.append(statistics.mean(concealed))
    frame_ms = 1000 * LOW_LATENCY.frame_for(1) / SAMPLE_RATE
    return (medians[1] - medians[0]) / frame_ms, (shares[1] - shares[0]) / LOSS


def main():
    pairs, stock_pairs, mesh, stock_mesh, losses = [], [], [], [], []
    for run in range(RUNS):
        print(f"run {run + 1} of {RUNS}", file=sys.stderr)
        pairs.append(pair_run())
        stock_pairs.append(run_precisely(play(stock_rig, LatencyPlan(peers=2), MESH_DURATION_S))[0])
        mesh.append(run_precisely(play(Rig.build, LatencyPlan(peers=4), MESH_DURATION_S)))
        stock_mesh.append(run_precisely(play(stock_rig, LatencyPlan(peers=4), MESH_DURATION_S)))
        losses.append(loss_run(run))

    def of(name):
        return [float(pair[name]) for pair in pairs]

    stock_medians = [worst(latencies, 0.5) for latencies in stock_pairs]
    stock_p95 = [worst(latencies, 0.95) for latencies in stock_pairs]
    mesh_p95 = [worst(latencies, 0.95) for latencies, _, _ in mesh]
    stock_mesh_p95 = [worst(latencies, 0.95) for latencies, _, _ in stock_mesh]
    mesh_lost = [100 * max(lost) for _, _, lost in mesh]
    cpu, stock_cpu = [cpu for _, cpu, _ in mesh], [cpu for _, cpu, _ in stock_mesh]
    there_and_back = over(of("round trip"), of("median"))
    bars = [
        bar(
            "2 participants, one way, median over what whole blocks take",
            of("of floor"),
            "×",
            "≤",
            2,
        ),
        bar(
            "2 participants, stock's median over jamlab's",
            over(stock_medians, of("median")),
            "×",
            "≥",
            8,
        ),
        bar("2 participants, stock's p95 over jamlab's", over(stock_p95, of("p95")), "×", "≥", 8),
        bar("2 participants, round trip over one way, medians", there_and_back, "×", "≤", 2.2),
        bar("2 participants, concealed share", of("concealed"), "%", "≤", 0.1),
        bar(
            "4 participants, stock's p95 over jamlab's", over(stock_mesh_p95, mesh_p95), "×", "≥", 5
        ),
        bar("4 participants, concealed share of the worst path", mesh_lost, "%", "≤", 0.5),
        bar("1 % loss, rise of the median", [rise for rise, _ in losses], "frames", "≤", 0.4),
        bar("1 % loss, concealment per loss", [each for _, each in losses], "frames", "≤", 2),
        bar(
            "4 participants, CPU at 5 ms frames over stock's at 20 ms",
            over(cpu, stock_cpu),
            "×",
            "≤",
            1,
        ),
        figure("2 participants, one way, median of the worst path", of("median"), "ms"),
        figure("2 participants, one way, p95 of the worst path", of("p95"), "ms"),
        figure("2 participants, round trip, median of the worst path", of("round trip"), "ms"),
        figure("4 participants, one way, p95 of the worst path", mesh_p95, "ms"),
        figure("2 participants, stock's median of the worst path", stock_medians, "ms"),
        figure("4 participants, CPU of a core per participant", cpu, "%"),
        figure("4 participants, stock's CPU of a core per participant", stock_cpu, "%"),
    ]
    publish(bars, FilePath("reports/bench-latency.json"))


def over(ones, others):
    """Return the ratios of figures of the same runs."""
    return [one / other for one, other in zip(ones, others, strict=True)]


if __name__ == "__main__":
    main()
