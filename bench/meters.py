"""``make bench-meters``: what level meters cost a kernel, a browser, and the mesh they show.

A real JupyterLab in a real Chromium draws the meters; what is timed runs in its kernel. The mesh is
measured in that kernel, too, in turns without and with meters, so that both see the same machine.
Its cards are virtual, but the loop runs in real time, as with a sound card: nobody plays with cards
that have to wait for a browser.
"""

import asyncio
import json
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench.bars import bar, publish
from bench.latency import concealed_share, latencies_ms, path_from_now
from jamlab.audio.realtime import RealTime
from jamlab.audio.signals import pink_noise
from jamlab.measure.loop import collector_paused
from jamlab.measure.plan import MAX_LATENCY_S, LatencyPlan
from jamlab.measure.rig import Rig, difference
from jamlab.widgets import LevelMeters

ROOT = Path(__file__).parent.parent
RUNS = 3
METERS = 8
SECONDS = 10.0
PLAN = LatencyPlan(peers=2)
SHOWN, OTHER = PLAN.names
DRAWN = "() => document.querySelector('.jamlab-meters').meters.drawn"


# In the kernel


def noisy():
    """Return meters of so many different noises."""
    return LevelMeters(
        signals={f"player {n + 1}": pink_noise(-20.0 - n, seed=n) for n in range(METERS)}
    )


async def costs(meters):
    """Return the median time of an update in ms, and what it costs the whole kernel's CPU."""
    steps, times_s, longest_s = meters._steps, [], []

    def timed():
        took_s, begun_s = [], time.perf_counter()
        for _ in steps():
            took_s.append(time.perf_counter() - begun_s)
            yield
            begun_s = time.perf_counter()
        took_s.append(time.perf_counter() - begun_s)
        times_s.append(sum(took_s))
        longest_s.append(max(took_s))

    def only_played():
        meters._feed.take(meters.names)
        yield from (None,) * 4

    meters._steps = timed
    with_s = await cpu_s(SECONDS)
    meters._steps = only_played
    without_s = await cpu_s(SECONDS)
    meters._steps = steps
    return {
        "update": 1000 * float(np.median(times_s)),
        "step": 1000 * float(np.median(longest_s)),
        "cpu": 1000 * (with_s - without_s) / len(times_s),
    }


async def cpu_s(seconds):
    began_s = time.process_time()
    await asyncio.sleep(seconds)
    return time.process_time() - began_s


async def mesh(show):
    """Return latencies and dropouts of a mesh without meters, and then with them."""
    with collector_paused(), real_time():
        async with Rig.build(PLAN) as rig:
            for participant in rig.participants:
                participant.click()
            meters = LevelMeters(rig.participants[0].session)
            show(meters)
            await asyncio.sleep(PLAN.settle_s)
            without = await turn(rig)
            meters.start()
            with_ = await turn(rig)
            meters.close()
    return judged(*without), judged(*with_)


@contextmanager
def real_time():
    """Have the loop scheduled as `jamlab.audio.device.DeviceCard` has it, where that is allowed."""
    realtime = RealTime()
    realtime.ask()
    try:
        yield
    finally:
        realtime.give_back()


async def turn(rig):
    before = rig.stream_counters()
    paths = [path_from_now(a, b, SECONDS) for a, b in rig.pairs]
    await asyncio.sleep(SECONDS + MAX_LATENCY_S)
    return paths, before, rig.stream_counters()


def judged(paths, before, after):
    """Return the worst path's 95th percentile in ms, and shares of sound lost in %.

    Underruns are those of who shows the meters: the others would be on machines of their own.
    """
    gained = difference(after[OTHER, SHOWN], before[OTHER, SHOWN])
    lost = gained["card_underruns"] / max(gained["card_blocks"], 1)
    return {
        "p95": max(float(np.quantile(latencies_ms(path), 0.95)) for path in paths),
        "underruns": 100 * lost,
        "concealed": 100 * max(concealed_share(after[pair], before[pair]) for pair in after),
    }


# Outside


def cells(folder):
    """Return what the kernel is to run; results go into files."""

    def kept(name, what):
        return f"Path({str(folder / name)!r}).write_text(json.dumps(await {what}))"

    return [
        f"import json, sys\nfrom pathlib import Path\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from bench import meters as bench\nmeters = bench.noisy()\nmeters.start()\nmeters",
        kept("costs.json", "bench.costs(meters)"),
        "meters.close()",
        kept("mesh.json", "bench.mesh(display)"),
    ]


def one_run(browser, lab, folder):
    """Let one notebook measure; returns costs with frames a second, and the mesh."""
    from tests.browser.notebook import open_notebook

    with open_notebook(browser, lab, cells(folder)) as notebook:
        notebook.run_cell(0)
        notebook.page.wait_for_function(f"() => ({DRAWN})() > 30")
        drawn, began_s = notebook.page.evaluate(DRAWN), time.perf_counter()
        notebook.page.wait_for_function(f"n => ({DRAWN})() >= n", arg=drawn + 30 * SECONDS)
        frames = notebook.page.evaluate(DRAWN) - drawn
        per_s = frames / (time.perf_counter() - began_s)
        for cell in (1, 2):
            notebook.run_cell(cell)
        costs = json.loads((folder / "costs.json").read_text()) | {"frames": per_s}
        notebook.run_cell(3)
        return costs, json.loads((folder / "mesh.json").read_text())


def main():
    from tests.browser.lab import lab_server
    from tests.browser.notebook import chromium

    runs, turns = [], []
    with (
        tempfile.TemporaryDirectory() as home,
        lab_server(Path(home)) as lab,
        chromium() as browser,
    ):
        for number in range(RUNS):
            print(f"run {number + 1} of {RUNS}", file=sys.stderr)
            costs, turn_by_turn = one_run(browser, lab, Path(home))
            runs.append(costs)
            turns.append(turn_by_turn)

    for without, with_ in turns:
        print(f"mesh without meters {without}, with {with_}", file=sys.stderr)

    def more(figure):
        return [with_[figure] - without[figure] for without, with_ in turns]

    bars = [
        bar(f"update of {METERS} meters, kernel time", [r["update"] for r in runs], "ms", "≤", 1),
        bar(
            f"update of {METERS} meters, CPU of all threads", [r["cpu"] for r in runs], "ms", "≤", 1
        ),
        bar("longest step of an update", [r["step"] for r in runs], "ms", "≤", 0.5),
        bar("frames drawn in Chromium", [r["frames"] for r in runs], "/s", "≥", 28),
        bar("p95 of the mesh, with meters minus without", more("p95"), "ms", "<", 1),
        bar("underruns, with meters minus without", more("underruns"), "%", "≤", 0.1),
        bar("concealed, with meters minus without", more("concealed"), "%", "≤", 0.1),
    ]
    publish(bars, Path("reports/bench-meters.json"))


if __name__ == "__main__":
    main()
