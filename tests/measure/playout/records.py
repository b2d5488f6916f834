"""Records of playout buffers for tests, without playing anything."""

import pandas as pd

from jamlab.measure.playout.example import example_trace
from jamlab.measure.playout.plan import PlayoutPlan
from jamlab.measure.playout.record import (
    BEST_PER_SECOND,
    BOUND_COLUMNS,
    CONSTANT,
    JAMLAB,
    JAMULUS,
    NETEQ,
    PLAYBACKS,
    STOCK,
    STREAMS,
    PlayoutRecord,
)
from jamlab.measure.provenance import provenance

SHARES = (0.001, 0.01)


def playout_record(
    delay_ms=10.0, worst=1.0, best_ms=9.0, lost=0.0, trace="wifi", rival_ms=20.0, never=False
):
    """Return a record of two accepted shares; jamlab conceals half of what is accepted.

    `worst` is jamlab's worst share over the accepted one; the rivals have `rival_ms` at any share,
    or never conceal as little if `never`.
    """
    nan = float("nan")
    least = 0.05 if never else 0.0001
    rows = [
        (trace, JAMLAB, f"{100 * share:g} %", share, True, delay_ms, share / 2, worst * share)
        for share in SHARES
    ]
    for name, setting in ((NETEQ, "quantile 0.95"), (JAMULUS, "errors 0.0005")):
        rows.append((trace, name, setting, nan, True, rival_ms, least, least))
    rows.append((trace, STOCK, "", nan, True, 100.0, 0.0, 0.0))
    for constant_ms, share in ((50.0, 0.0), (12.0, 0.02)):
        rows.append((trace, CONSTANT, f"{constant_ms} ms", nan, False, constant_ms, share, share))
    bounds = [(trace, BEST_PER_SECOND, share, best_ms, best_ms) for share in SHARES]
    plan = PlayoutPlan((example_trace(1),), tuple(100 * share for share in SHARES))
    return PlayoutRecord(
        pd.DataFrame(rows, columns=[*PLAYBACKS]),
        pd.DataFrame(bounds, columns=[*BOUND_COLUMNS]),
        pd.DataFrame([(trace, 60.0, 12_000, lost, lost, 5.3)], columns=[*STREAMS]),
        provenance({**plan.to_dict(), "traces": [trace]}, notes=[f"{trace}: halved"]),
    )
