"""Browser records made of figures that a test chooses."""

import pandas as pd

from jamlab.measure.browser.get_stats import STATISTICS
from jamlab.measure.browser.plan import BrowserPlan
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.latency.worst_path import CLICKS
from jamlab.measure.provenance import provenance

URL = "https://example.org/"
STREAM = {
    "frame_ms": 20.0,
    "round_trip_ms": 4.0,
    "jitter_buffer_ms": 40.0,
    "jitter_target_ms": 60.0,
    "processing_ms": 30.0,
    "playout_ms": 25.0,
    "packets_lost": 0,
    "packets_received": 500,
    "concealed_frames": 0,
    "received_frames": 480_000,
}


def browser_record(latency_ms, *, sessions=3, clicks=100, stream=STREAM, plan=None, **observed):
    """Return a record of two players.

    `latency_ms` takes sender, receiver, session and click, and returns a latency or None.
    """
    plan = plan or BrowserPlan(URL, sessions=sessions)
    pairs = [(a, b) for a in plan.players for b in plan.players if a != b]
    rows = [
        (session, a, b, click, 0.1 * click, latency_ms(a, b, session, click), 0.8)
        for session in range(sessions)
        for a, b in pairs
        for click in range(clicks)
    ]
    streams = [
        {
            "session": session,
            "sender": a,
            "receiver": b,
            "stream": "0 in",
            "at_s": float(second),
            **stream,
        }
        for session in range(sessions)
        for a, b in pairs
        for second in range(3)
        if stream
    ]
    return BrowserRecord(
        pd.DataFrame(streams, columns=list(STATISTICS)).astype(STATISTICS),
        pd.DataFrame(rows, columns=list(CLICKS)).astype(CLICKS),
        provenance(
            plan.to_dict(),
            browser={"name": "chromium", "version": "156.0.1", "arguments": [], "visible": False},
            **{
                "asked": {player: [{"echoCancellation": False}] for player in plan.players},
                "error_ms": 0.5,
                "own_delay_ms": 0.0,
                "pauses_ms": 2.0,
                "remarks": [],
                **observed,
            },
        ),
    )


def steady(ms):
    """Return latencies that hardly change."""
    return lambda _a, _b, session, click: ms + 0.1 * session + 0.01 * (click % 7)
