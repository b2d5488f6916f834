"""Sessions beside a browser on the kernel: route and time to connect in the same cells.

A part of ``make bench-kernel``; it needs Chromium. Every pairing of the two players calls in each
cell of a sample that connects, several times in turn, all driven alike.
"""

import itertools
import sys

import pandas as pd

from bench.bars import Bar, bar, figure
from jamlab.measure.connectivity.attempt import DIRECT, FAILED, RELAYED
from jamlab.measure.connectivity_on_kernel.agreement import DEADLINE_S, TYPES
from jamlab.measure.connectivity_on_kernel.browser_agreement import calls_of
from jamlab.measure.connectivity_on_kernel.calls_of_players import (
    PAIRINGS,
    call_on_kernel,
    sample_of,
    setting_of,
)
from jamlab.report.connectivity.agreement import players_named

ROUNDS = 3
TIMES, ALLOWANCE_S = 2.0, 0.2
"""A session may take so many times the browser's time, and so much more."""
_RANKS = {DIRECT: 0, RELAYED: 1, FAILED: 2}
_CELL = ["caller", "callee", "configuration"]
_BROWSERS, *_OURS = map(players_named, PAIRINGS)


def played() -> pd.DataFrame:
    """Return a row per call, with the pairing's name in ``players``."""
    print("beside a browser", file=sys.stderr)
    tasks = [*itertools.chain.from_iterable([sample_of(TYPES)] * ROUNDS)]
    calls = calls_of(tasks, call_on_kernel(tasks, setting_of("chromium")))
    return calls.assign(players=calls["caller_player"] + " to " + calls["callee_player"])


def beside(calls: pd.DataFrame) -> list[Bar]:
    """Return the rows on the calls of `played`."""
    calls = calls.assign(
        rank=calls["result"].map(_RANKS), time_s=calls["time_to_connect_s"].fillna(DEADLINE_S)
    )
    cells = calls.pivot_table(["rank", "time_s"], _CELL, "players", "median")
    rows = []
    for players in _OURS:
        allowed_s = TIMES * cells["time_s", _BROWSERS] + ALLOWANCE_S
        over = (cells["time_s", players] / allowed_s).max()
        worse = (cells["rank", players] > cells["rank", _BROWSERS]).sum()
        better = (cells["rank", players] < cells["rank", _BROWSERS]).sum()
        among = f"{players}, {len(cells)} cells"
        rows += [
            bar(
                f"longest time to connect over what is allowed, {among}", [float(over)], "×", "≤", 1
            ),
            bar(f"worse routes than between browsers, {among}", [float(worse)], "cells", "≤", 0),
            figure(f"better routes than between browsers, {among}", [float(better)], "cells"),
        ]
    rows += [
        figure(f"time to connect, {players}", [*calls.query("players == @players")["time_s"]], "s")
        for players in map(players_named, PAIRINGS)
    ]
    return rows
