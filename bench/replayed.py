"""The playout buffers of jamlab and of Chromium in real time, by clicks, over a replayed network.

A part of ``make bench-playout``; it needs root and Chromium. Both play over the kernel's links,
over plain cables and over links that replay a part of a recording as long as the measurement. By
the latency that the recording adds, their buffers can be compared: its own delay is the same.
"""

import asyncio
import sys

import numpy as np

from bench.bars import Bar, bar, figure
from jamlab.browsers.launch import lacking
from jamlab.measure.across_networks.kernel import Case, kernel_cases, measure_case
from jamlab.measure.browser_acceptance import networks
from jamlab.measure.browser_networks.plan import BrowserNetworksPlan
from jamlab.measure.browser_networks.run import measure_browser_case
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.routes import DIRECT
from jamlab.measure.latency.worst_path import late_ms
from jamlab.networks.model.delay_table import shipped_delays
from jamlab.networks.model.trace import DelayTrace

PARTS_S = {"5g_public_car.csv.gz": 40.0, "5g_private_car.csv.gz": 0.0}
"""Recordings that ship, and where their parts begin."""
LENGTH_S = 20.0
RUNS = 3


def part(name: str, begin_s: float) -> DelayTrace:
    """Return the part of a recording that begins at a time."""
    whole = shipped_delays(name)
    inside = (whole.sent_s >= begin_s) & (whole.sent_s < begin_s + LENGTH_S)
    sent_s = whole.sent_s[inside]
    name = f"{whole.name}, from {begin_s:g} s"
    return DelayTrace(name, sent_s - sent_s[0], whole.delay_s[inside], whole.absolute)


def jamlab_ms(case: Case) -> float:
    """Return the median latency of jamlab's participants over both paths, in ms."""
    record = asyncio.run(measure_case(case, LatencyPlan(duration_s=LENGTH_S)))
    return float(np.median(late_ms(record.clicks)))


def chromium_ms(case: Case) -> float:
    """Return the median latency of the reference client in Chromium over both paths, in ms."""
    plan = BrowserNetworksPlan((case,), duration_s=LENGTH_S)
    return float(np.median(late_ms(asyncio.run(measure_browser_case(case, plan)).clicks)))


def replayed() -> list[Bar]:
    """Return the rows; none where there is no Chromium, or no lab."""
    if reason := lacking("chromium") or networks.lacking():
        print(f"no playout in real time: {reason}", file=sys.stderr)
        return []
    parts = [part(name, begin_s) for name, begin_s in PARTS_S.items()]
    cable, *replays = (each for each in kernel_cases(traces=parts) if each.route == DIRECT)
    added_ms = {(case.name, by): [] for case in replays for by in (jamlab_ms, chromium_ms)}
    for run in range(RUNS):
        for by in jamlab_ms, chromium_ms:
            print(f"in real time, run {run + 1}, {by.__name__}", file=sys.stderr)
            plain_ms = by(cable)
            for case in replays:
                added_ms[case.name, by].append(by(case) - plain_ms)
    return [
        row
        for case in replays
        for row in rows(case.name, added_ms[case.name, jamlab_ms], added_ms[case.name, chromium_ms])
    ]


def rows(name: str, ours_ms: list[float], theirs_ms: list[float]) -> list[Bar]:
    """Return the rows of a network from the latencies that it added."""
    over = [ours / theirs for ours, theirs in zip(ours_ms, theirs_ms, strict=True)]
    return [
        bar(f"{name}, in real time: added latency over Chromium's", over, "×", "<", 1),
        figure(f"{name}, in real time: added latency", ours_ms, "ms"),
        figure(f"{name}, in real time: added latency, Chromium", theirs_ms, "ms"),
    ]
