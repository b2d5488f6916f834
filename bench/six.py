"""``python -m bench.six``: meshes of two, four and six participants here, and what they cost.

Each mesh is the product's own latency run, in its worker processes. Delays are divided by what
whole blocks take, as in `bench.latency`: the floor and the captured block. The processor time of
four participants in one process is divided by that of stock aiortc in the same run, at four times
the frame.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from bench.bars import bar, figure, publish
from bench.latency import MESH_DURATION_S, over, play
from bench.stock import stock_rig
from jamlab.measure.latency.participants import Rig
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.verdicts import aligned_blocks_ms, floor_ms, paths_table, verdicts
from jamlab.measure.latency.worker import measure_in_worker
from jamlab.process.precise_loop import run_precisely

RUNS = 3
LIMITS = {2: 1.25, 4: 1.6, 6: 2.0}
"""Largest p95 one way by number of participants, over what whole blocks take."""
LONGEST_SILENCE_S = 2.0
"""Longest time that may pass without progress."""


class Silence:
    """The longest time between two calls of a progress callback."""

    def __init__(self):
        self.longest_s, self._last_s = 0.0, time.monotonic()

    def __call__(self, done, doing):
        now_s = time.monotonic()
        self.longest_s = max(self.longest_s, now_s - self._last_s)
        self._last_s = now_s


def mesh_run(peers, duration_s=30.0):
    """Measure a mesh one way with the product's own run; return its figures."""
    plan = LatencyPlan(peers=peers, duration_s=duration_s, round_trip_s=0, sessions=1)
    silence = Silence()
    with tempfile.TemporaryDirectory() as folder:
        record = asyncio.run(measure_in_worker(plan, Path(folder), silence))
    paths = paths_table(record)
    assert len(paths) == peers * (peers - 1)
    return {
        "p95": paths["p95_ms"].max(),
        "of floor": paths["p95_ms"].max() / aligned_blocks_ms(record),
        "of physics": paths["p95_ms"].max() / floor_ms(record),
        "underruns": 100 * paths["underrun_share"].max(),
        "concealed": 100 * paths["concealed_share"].max(),
        "unheard": 100 * (1 - paths["heard_share"].min()),
        "lag": record.provenance["loop_lag"]["p99_ms"],
        "invalid": sum("does not count" in each.reason for each in verdicts(record)),
        "silence": silence.longest_s,
    }


def cost_run():
    """Return the CPU of a core per participant of a 4-mesh, ours and stock aiortc's, in %."""
    return tuple(
        run_precisely(play(build, LatencyPlan(peers=4), MESH_DURATION_S))[1]
        for build in (Rig.build, stock_rig)
    )


def rows(runs=RUNS):
    """Measure, and return the rows of the bench."""
    meshes = {peers: [] for peers in LIMITS}
    costs = []
    for _ in range(runs):
        for peers, found in meshes.items():
            found.append(mesh_run(peers))
        costs.append(cost_run())
    ours, stock = zip(*costs, strict=True)
    found = []
    for peers, figures in meshes.items():
        found += mesh_rows(peers, figures)
    cheaper = bar("4 participants, CPU over stock aiortc's", over(ours, stock), "×", "≤", 0.35)
    return [
        *found,
        cheaper,
        figure("4 participants, CPU of a core per participant", ours, "%"),
        figure("4 participants, stock's CPU of a core per participant", stock, "%"),
    ]


def mesh_rows(peers, figures):
    """Return the rows of the runs of one mesh."""

    def of(name):
        return [float(run[name]) for run in figures]

    who = f"{peers} participants"
    silences = [seconds / LONGEST_SILENCE_S for seconds in of("silence")]
    return [
        bar(
            f"{who}, p95 of the worst path over what whole blocks take",
            of("of floor"),
            "×",
            "≤",
            LIMITS[peers],
        ),
        bar(f"{who}, blocks too late for the worst card", of("underruns"), "%", "≤", 0.5),
        bar(f"{who}, concealed share of the worst path", of("concealed"), "%", "≤", 0.5),
        bar(f"{who}, reasons why the run does not count", of("invalid"), "", "≤", 0),
        bar(f"{who}, longest time without progress over 2 s", silences, "×", "≤", 1),
        figure(f"{who}, p95 of the worst path", of("p95"), "ms"),
        figure(f"{who}, p95 over the floor without the captured block", of("of physics"), "×"),
        figure(f"{who}, clicks of the worst path that were not heard", of("unheard"), "%"),
        figure(f"{who}, p99 of the latest loop's lag", of("lag"), "ms"),
    ]


def main():
    publish(rows(), Path("reports/bench-six.json"))


if __name__ == "__main__":
    main()
