"""Records of the rig made of figures that a test chooses."""

import pandas as pd

from jamlab.measure.latency.worst_path import CLICKS
from jamlab.measure.provenance import provenance
from jamlab.measure.rig.plan import RigPlan
from jamlab.measure.rig.record import PUNCTUALITY, RigRecord

PUNCTUAL = (11_250, 0, 0, 0, 1.5)


def rig_record(
    latency_ms,
    *,
    system="jamulus",
    sessions=3,
    clicks=100,
    confidence=lambda *_: 0.9,
    punctuality=PUNCTUAL,
    busy=0.2,
    remarks=(),
    **parameters,
):
    """Return a record of two players.

    `latency_ms` and `confidence` take sender, receiver, session and click; the first returns a
    latency or None.
    """
    plan = RigPlan(("play {player}",) * 2, system=system, sessions=sessions, **parameters)
    rows = [
        (
            session,
            a,
            b,
            click,
            0.1 * click,
            latency_ms(a, b, session, click),
            confidence(a, b, session, click),
        )
        for session in range(sessions)
        for a in plan.players
        for b in plan.players
        if a != b
        for click in range(clicks)
    ]
    seen = [(session, *punctuality, busy) for session in range(sessions)]
    return RigRecord(
        pd.DataFrame(seen, columns=list(PUNCTUALITY)).astype(PUNCTUALITY),
        pd.DataFrame(rows, columns=list(CLICKS)).astype(CLICKS),
        provenance(plan.to_dict(), error_ms=0.02, own_delay_ms=2.67, remarks=list(remarks)),
    )


def steady(ms):
    """Return latencies that hardly change."""
    return lambda _a, _b, session, click: ms + 0.1 * session + 0.01 * (click % 7)
