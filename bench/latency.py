"""``make bench-latency``: jamlab's media path against its bars and against stock aiortc.

Runs alternate between the two, so that both see the same machine. CPU is the whole process', per
participant, while the mesh plays; the search for clicks is made afterwards and not counted.
"""

import asyncio
import random
import statistics
import sys
import time
from contextlib import nullcontext
from pathlib import Path as FilePath
from unittest import mock

import numpy as np

from bench.bars import bar, publish
from bench.stock import stock_rig
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency import ONE_WAY, ROUND_TRIP, measure_latency
from jamlab.measure.loop import collector_paused, run_precisely
from jamlab.measure.plan import MAX_LATENCY_S, LatencyPlan
from jamlab.measure.reading import Path
from jamlab.measure.rig import Rig, difference
from jamlab.measure.summary import floor_ms, paths_table
from jamlab.media import rtc
from jamlab.media.quality import LOW_LATENCY

RUNS = 3
DURATION_S = 30.0
MESH_DURATION_S = 12.0
LOSS = 0.01


def quantile(values, share):
    return float(np.quantile(values, share))


def pair_run():
    """Measure two participants as the product does it."""
    plan = LatencyPlan(peers=2, duration_s=DURATION_S, round_trip_s=10.0)
    record = run_precisely(measure_latency(plan))
    paths = paths_table(record)
    ways = dict(iter(paths.groupby("measurement")))
    return {
        "median": ways[ONE_WAY]["median_ms"].max(),
        "p95": ways[ONE_WAY]["p95_ms"].max(),
        "of floor": ways[ONE_WAY]["median_ms"].max() / floor_ms(record),
        "concealed": 100 * ways[ONE_WAY]["concealed_share"].max(),
        "round trip": ways[ROUND_TRIP]["median_ms"].max(),
    }


async def play(build, plan, seconds):
    """Let a mesh click; returns one-way latencies per path in ms, CPU in %, concealed shares."""
    with collector_paused():
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
    """Return the path on which clicks of the next seconds count."""
    start = int(emitter.card.frame_at(now()))
    return Path(
        ONE_WAY, emitter, listener, listener, start, start + int(seconds * SAMPLE_RATE), None
    )


def latencies_ms(path):
    """Return the latency of every click that was heard on a path."""
    return [
        (reading.delay + path.rounding) / SAMPLE_RATE * 1000
        for reading in path.readings()
        if reading.heard
    ]


def concealed_share(after, before):
    """Return the share of a stream's sound that was concealed between two counts."""
    gained = difference(after, before)
    due = gained["concealed_frames"] + gained["played_frames"]
    return gained["concealed_frames"] / max(due, 1)


def now():
    return asyncio.get_running_loop().time()


def counters(rig):
    try:
        return rig.stream_counters()
    except AttributeError:  # stock aiortc counts nothing of the kind
        return {}


def lossy_divert(drawn):
    """Return a stand-in for `divert_packets` that drops one packet in a hundred."""

    def divert(receiver, on_packet):
        def maybe(*packet):
            if drawn.random() < LOSS:
                return
            on_packet(*packet)

        rtc.divert_packets(receiver, maybe)

    return mock.patch("jamlab.mesh.peer.divert_packets", divert)


def loss_run(seed):
    """Return by how much loss raises the median, and the concealment a loss costs, in ms."""
    plan = LatencyPlan(peers=2)
    medians, shares = [], []
    for patch in (nullcontext(), lossy_divert(random.Random(seed))):
        with patch:
            latencies, _, concealed = run_precisely(play(Rig.build, plan, MESH_DURATION_S))
        medians.append(max(statistics.median(path) for path in latencies))
        shares.append(statistics.mean(concealed))
    frame_ms = 1000 * LOW_LATENCY.frame_for(1) / SAMPLE_RATE
    losses_per_frame = LOSS / frame_ms  # of sound, in 1/ms
    return medians[1] - medians[0], (shares[1] - shares[0]) / losses_per_frame


def main():
    pairs, stock_medians, mesh, stock_cpu, losses = [], [], [], [], []
    for run in range(RUNS):
        print(f"run {run + 1} of {RUNS}", file=sys.stderr)
        pairs.append(pair_run())
        stock = run_precisely(play(stock_rig, LatencyPlan(peers=2), MESH_DURATION_S))
        stock_medians.append(max(statistics.median(path) for path in stock[0]))
        mesh.append(run_precisely(play(Rig.build, LatencyPlan(peers=4), MESH_DURATION_S)))
        stock_cpu.append(run_precisely(play(stock_rig, LatencyPlan(peers=4), MESH_DURATION_S))[1])
        losses.append(loss_run(run))

    def of(name):
        return [float(pair[name]) for pair in pairs]

    ratios = [stock / own for stock, own in zip(stock_medians, of("median"), strict=True)]
    mesh_p95 = [max(quantile(path, 0.95) for path in latencies) for latencies, _, _ in mesh]
    mesh_lost = [100 * max(lost) for _, _, lost in mesh]
    cpu = [cpu for _, cpu, _ in mesh]
    cpu_ratios = [own / stock for own, stock in zip(cpu, stock_cpu, strict=True)]
    bars = [
        bar("2 participants, one way, median of the worst path", of("median"), "ms", "≤", 12),
        bar("2 participants, one way, p95 of the worst path", of("p95"), "ms", "≤", 15),
        bar("2 participants, one way, median over physical floor", of("of floor"), "×", "≤", 2),
        bar("2 participants, concealed share", of("concealed"), "%", "≤", 0.1),
        bar(
            "2 participants, round trip, median of the worst path", of("round trip"), "ms", "≤", 26
        ),
        bar("2 participants, stock aiortc's median over jamlab's", ratios, "×", "≥", 8),
        bar("4 participants, one way, p95 of the worst path", mesh_p95, "ms", "≤", 20),
        bar("4 participants, concealed share of the worst path", mesh_lost, "%", "≤", 0.5),
        bar("1 % loss, rise of the median", [rise for rise, _ in losses], "ms", "<", 1),
        bar("1 % loss, concealment per loss", [each for _, each in losses], "ms", "≤", 5),
        bar("4 participants, CPU at 5 ms frames over stock's at 20 ms", cpu_ratios, "×", "≤", 1),
    ]
    publish(bars, FilePath("reports/bench-latency.json"))
    print(
        f"stock aiortc: median one way {statistics.median(stock_medians):.1f} ms, "
        f"{statistics.median(stock_cpu):.1f} % of a core per participant of four; "
        f"jamlab {statistics.median(cpu):.1f} %"
    )


if __name__ == "__main__":
    main()
