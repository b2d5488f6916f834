"""Verdicts on jamlab's playout buffer, and buffers at equal concealment.

The curve of a buffer with a setting is the lower envelope of its points: the least delay with which
it concealed no more. Between two points it is interpolated over the logarithm of the share; below
its smallest share it has no delay.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from jamlab.measure.playout.record import BEST_PER_SECOND, JAMLAB, RIVALS, PlayoutRecord
from jamlab.measure.statistics import Estimate
from jamlab.measure.verdict import Outcome, Verdict, judge_below, unmeasured

MOST_OVER_BEST = 1.25
"""Limit of jamlab's mean delay over that of the best per second in hindsight."""
MOST_OVER_ACCEPTED = 1.5
"""Limit of the concealed share over any two minutes, over the accepted one."""
_LOST = "More packets than accepted were lost on the way."
_NO_SHARE = 1e-6  # a share of none, on a logarithmic scale


def delay_at(playbacks: pd.DataFrame, share: float) -> float:
    """Return the delay in milliseconds at which a buffer's curve has a concealed share.

    `playbacks` are the rows of one buffer and trace. Infinite below its smallest share.

    Examples
    --------
    >>> points = pd.DataFrame({"concealed_share": [0.001, 0.1], "delay_ms": [30.0, 10.0]})
    >>> round(delay_at(points, 0.01), 3)
    20.0
    """
    ordered = playbacks.sort_values(["concealed_share", "delay_ms"])
    shares = np.log(ordered["concealed_share"].clip(lower=_NO_SHARE).to_numpy())
    delays = np.minimum.accumulate(ordered["delay_ms"].to_numpy())
    known = np.concatenate(([True], np.diff(delays) < 0))
    at = np.log(max(share, _NO_SHARE))
    return float(np.interp(at, shares[known], delays[known], left=np.inf))


def playout_verdicts(record: PlayoutRecord) -> list[Verdict]:
    """Return the verdicts on jamlab's buffer: for each trace and accepted share, and each rival.

    Examples
    --------
    >>> from jamlab import PlayoutPlan, example_trace, measure_playout
    >>> record = measure_playout(PlayoutPlan((example_trace(20),), accept_percent=(1.0,)))
    >>> [verdict.unit for verdict in playout_verdicts(record)]
    ['×', '×', '×', '×']
    """
    return [
        verdict
        for trace in record.traces
        for verdict in (*_on_shares(record, trace), *_on_rivals(record, trace))
    ]


def _on_shares(record: PlayoutRecord, trace: str) -> Iterator[Verdict]:
    own = _by_share(_of(record.playbacks, trace, "buffer", JAMLAB))
    bounds = _by_share(_of(record.bounds, trace, "bound", BEST_PER_SECOND))
    streams = record.streams[record.streams["trace"] == trace]
    lost = float(streams["worst_lost_share"].iloc[0])
    for share in record.accepted_shares:
        where = f"on {trace} with {100 * share:g} % accepted"
        yield _over_best(where, own[share]["delay_ms"], bounds[share]["least_ms"])
        yield _over_accepted(where, share, own[share]["worst_share"], lost)


def _over_best(where: str, delay_ms: float, least_ms: float) -> Verdict:
    name = f"delay over that of the best per second in hindsight, {where}"
    if not np.isfinite(least_ms):
        return unmeasured(name, Outcome.NOT_RUN, _LOST)
    if least_ms <= 0:
        return unmeasured(name, Outcome.NOT_RUN, "No delay at all was needed.")
    return judge_below(name, MOST_OVER_BEST, _exactly(delay_ms / least_ms), "×")


def _over_accepted(where: str, share: float, worst_share: float, lost: float) -> Verdict:
    name = f"concealed share over any two minutes over the accepted one, {where}"
    if lost > share:
        return unmeasured(name, Outcome.NOT_RUN, _LOST)
    return judge_below(name, MOST_OVER_ACCEPTED, _exactly(worst_share / share), "×")


def _on_rivals(record: PlayoutRecord, trace: str) -> Iterator[Verdict]:
    own = _of(record.playbacks, trace, "buffer", JAMLAB)
    for rival in RIVALS:
        points = _of(record.playbacks, trace, "buffer", rival)
        over = max(
            row["delay_ms"] / delay_at(points, row["concealed_share"])
            for row in own.to_dict("records")
        )
        name = f"greatest delay over a {rival} buffer's at equal concealment, on {trace}"
        yield judge_below(name, 1.0, _exactly(over), "×")


def _exactly(value: float) -> Estimate:
    """Return a value without an interval: a replay has no randomness."""
    return Estimate(value, value, value, 1.0)


def _by_share(table: pd.DataFrame) -> dict[float, dict[str, float]]:
    numbers = table.select_dtypes("number").to_dict("records")
    return {row["accepted_share"]: {str(k): v for k, v in row.items()} for row in numbers}


def _of(table: pd.DataFrame, trace: str, column: str, value: str) -> pd.DataFrame:
    return table[(table["trace"] == trace) & (table[column] == value)]
