"""Latency records made of chosen figures."""

import itertools

import numpy as np
import pandas as pd

from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.record import CLICK_COLUMNS, LatencyRecord
from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.measure.latency.stages import STAGES
from jamlab.measure.provenance import provenance

LAG = {"readings": 1000, "median_ms": 0.1, "p95_ms": 0.2, "p99_ms": 0.3, "max_ms": 1.0}
STAGES_MS = (2.5, 1.0, 0.5, 1.5, 2.0, 2.5)


def path_rows(measurement, sender, receiver, latencies_ms, stages_ms, sessions):
    stages = stages_ms if measurement == ONE_WAY else (np.nan,) * len(STAGES)
    rows = []
    for session, each in enumerate(np.array_split(latencies_ms, sessions)):
        rows += [
            (session, measurement, sender, receiver, index, index / 8, latency, 0.9, *stages)
            for index, latency in enumerate(each)
        ]
    return rows


def stream_row(session, measurement, echoing, sender, receiver, **counted):
    counters = {
        "received": 8000,
        "decoded": 8000,
        "late": 0,
        "played_frames": 960_000,
        "concealed_frames": 0,
        "card_blocks": 15_000,
        "card_underruns": 0,
    }
    row = {"session": session, "measurement": measurement, "echoing": echoing}
    return row | {"sender": sender, "receiver": receiver} | counters | counted


def record_of(
    one_way_ms, round_trip_ms, *, peers=2, lag=LAG, stages_ms=STAGES_MS, sessions=5, **counted
):
    """Return a record; latencies are a function of (sender, receiver), giving a list in ms.

    The list is of all sessions, the first ones first.
    """
    plan = LatencyPlan(peers=peers, sessions=sessions)
    pairs = list(itertools.permutations(plan.names, 2))
    chosen = {ONE_WAY: one_way_ms, ROUND_TRIP: round_trip_ms}
    rows = [
        row
        for measurement, latencies in chosen.items()
        for a, b in pairs
        for row in path_rows(measurement, a, b, latencies(a, b), stages_ms, sessions)
    ]
    clicks = pd.DataFrame(rows, columns=list(CLICK_COLUMNS)).astype(CLICK_COLUMNS)
    streams = [
        stream_row(session, measurement, echoing, a, b, **counted)
        for session in range(sessions)
        for measurement, echoes in ((ONE_WAY, [""]), (ROUND_TRIP, plan.names))
        for echoing in echoes
        for a, b in pairs
    ]
    return LatencyRecord(
        clicks,
        pd.DataFrame(streams),
        pd.DataFrame({"measurement": [ONE_WAY], "time_ms": [0.0]}),
        provenance(plan.to_dict(), loop_lag=lag),
    )
