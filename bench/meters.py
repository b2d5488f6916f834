"""``make bench-meters``: the cost of level meters for a kernel, a browser and the mesh shown.

A real JupyterLab in a real Chromium draws the meters; the timed code runs in its kernel. The mesh
is measured in that kernel, too, alternately without and with meters, so that both have the same
conditions. The cost of an update is compared with known work in that kernel before and after it.
The cards are virtual, but the loop has real-time priority, as with a sound card, which does not
wait for a browser.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.bars import bar, figure, publish
from bench.calibration import work_s
from bench.latency import concealed_share, latencies_ms, path_from_now, real_time
from jamlab.audio.signals import pink_noise
from jamlab.measure.latency.participants import Rig, difference
from jamlab.measure.latency.plan import MAX_LATENCY_S, LatencyPlan
from jamlab.process.pauses import collector_paused
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
    """Return `METERS` meters, each of a different noise."""
    return LevelMeters(
        signals={f"player {n + 1}": pink_noise(-20.0 - n, seed=n) for n in range(METERS)}
    )


async def costs(meters):
    """Return an update's CPU time, thread and whole kernel, in ms and in units of work."""
    steps, times_s, longest_s = meters._steps, [], []
    before_s = await asyncio.to_thread(work_s, time.thread_time)

    def timed():
        took_s, begun_s = [], time.thread_time()
        for _ in steps():
            took_s.append(time.thread_time() - begun_s)
            yield
            begun_s = time.thread_time()
        took_s.append(time.thread_time() - begun_s)
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
    unit_s = (before_s + await asyncio.to_thread(work_s, time.thread_time)) / 2
    took_s = {
        "update": float(np.median(times_s)),
        "step": float(np.median(longest_s)),
        "cpu": (with_s - without_s) / len(times_s),
    }
    in_ms = {name: 1000 * each for name, each in took_s.items()}
    return in_ms | {f"{name} in units": 100 * each / unit_s for name, each in took_s.items()}


def counting(meters):
    """Make meters count the pictures they send; return a function that reads the count."""
    send, sent = meters.send, []

    def counted(content, buffers=None):
        sent.append(content["kind"])
        send(content, buffers)

    meters.send = counted

    async def count():
        return sent.count("levels")

    return count


async def cpu_s(seconds):
    began_s = time.process_time()
    await asyncio.sleep(seconds)
    return time.process_time() - began_s


async def mesh(show):
    """Return latencies and dropouts of a mesh, first without meters, then with them."""
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


async def turn(rig):
    before = rig.stream_counters()
    paths = [path_from_now(a, b, SECONDS) for a, b in rig.pairs]
    await asyncio.sleep(SECONDS + MAX_LATENCY_S)
    return paths, before, rig.stream_counters()


def judged(paths, before, after):
    """Return the worst path's 95th percentile in ms, and shares of lost sound in %.

    Underruns count for the participant with the meters only: others would use other machines.
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
    """Return the notebook's cells; their results go into files."""

    def kept(name, call):
        return f"Path({str(folder / name)!r}).write_text(json.dumps(await {call}))"

    return [
        f"import json, sys\nfrom pathlib import Path\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from bench import meters as bench\nmeters = bench.noisy()\n"
        "sent = bench.counting(meters)\nmeters.start()\nmeters",
        kept("sent.json", "sent()"),
        kept("costs.json", "bench.costs(meters)"),
        "meters.close()",
        kept("mesh.json", "bench.mesh(display)"),
    ]


def one_run(pages, folder):
    """Measure in one notebook; return costs with the pictures drawn, and the mesh."""
    with pages.open(cells(folder)) as notebook:

        def counts():
            """Return the numbers of pictures sent and drawn so far."""
            notebook.run_cell(1)
            return json.loads((folder / "sent.json").read_text()), notebook.page.evaluate(DRAWN)

        notebook.run_cell(0)
        notebook.page.wait_for_function(f"() => ({DRAWN})() > 30")
        (sent, drawn), began_s = counts(), time.perf_counter()
        notebook.page.wait_for_function(f"n => ({DRAWN})() >= n", arg=drawn + 30 * SECONDS)
        (sent_then, drawn_then), took_s = counts(), time.perf_counter() - began_s
        frames = {
            "frames": (drawn_then - drawn) / took_s,
            "drawn": 100 * (drawn_then - drawn) / (sent_then - sent),
        }
        for cell in (2, 3):
            notebook.run_cell(cell)
        costs = json.loads((folder / "costs.json").read_text()) | frames
        notebook.run_cell(4)
        return costs, json.loads((folder / "mesh.json").read_text())


def main():
    from tests.browser.lab import lab_server
    from tests.browser.notebook import LabPages, chromium

    runs, turns = [], []
    with (
        tempfile.TemporaryDirectory() as home,
        lab_server(Path(home)) as lab,
        chromium() as browser,
    ):
        pages = LabPages(browser, lab)
        for number in range(RUNS):
            print(f"run {number + 1} of {RUNS}", file=sys.stderr)
            costs, turn_by_turn = one_run(pages, Path(home))
            runs.append(costs)
            turns.append(turn_by_turn)

    for without, with_ in turns:
        print(f"mesh without meters {without}, with {with_}", file=sys.stderr)

    def more(figure):
        return [with_[figure] - without[figure] for without, with_ in turns]

    def of(name):
        return [costs[name] for costs in runs]

    p95 = [with_["p95"] / without["p95"] for without, with_ in turns]
    update, unit = f"update of {METERS} meters", "% of a unit of work"
    bars = [
        bar(f"{update}, kernel's thread", of("update in units"), unit, "≤", 6),
        bar(f"{update}, CPU of all threads", of("cpu in units"), unit, "≤", 7),
        bar("longest step of an update", of("step in units"), unit, "≤", 3),
        bar("pictures drawn in Chromium, of those sent", of("drawn"), "%", "≥", 85),
        bar("p95 of the mesh, with meters over without", p95, "×", "≤", 1.1),
        bar("underruns, with meters minus without", more("underruns"), "%", "≤", 0.1),
        bar("concealed, with meters minus without", more("concealed"), "%", "≤", 0.1),
        figure(f"{update}, kernel's thread", of("update"), "ms"),
        figure(f"{update}, CPU of all threads", of("cpu"), "ms"),
        figure("longest step of an update", of("step"), "ms"),
        figure("pictures drawn in Chromium", of("frames"), "/s"),
        figure("p95 of the mesh, with meters minus without", more("p95"), "ms"),
    ]
    publish(bars, Path("reports/bench-meters.json"))


if __name__ == "__main__":
    main()
