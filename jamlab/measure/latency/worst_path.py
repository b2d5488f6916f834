"""Verdict on the worst of several paths, from the latencies of their clicks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from jamlab.measure.statistics import Estimate, p95, resampling, worst_of
from jamlab.measure.verdict import Verdict, judge_below

ONE_SESSION = "There was one session, and the interval holds for that session alone."
"""The remark on an interval that does not cover the differences between sessions."""


def worst_path_verdict(
    clicks: pd.DataFrame,
    name: str,
    limit_ms: float,
    invalid: Sequence[str] = (),
    error_ms: float = 0.0,
) -> Verdict:
    """Return the verdict on the highest 95th percentile of all paths.

    The table of clicks has the columns ``session``, ``sender``, ``receiver`` and ``latency_ms``,
    NaN for a click that was never heard, and at least one row. `invalid` has the reasons why the
    run does not count. `error_ms` is the largest error that all latencies have alike; it widens the
    interval at both ends.
    """
    found = worst_p95(clicks)
    wider = replace(found, low=found.low - error_ms, high=found.high + error_ms)
    verdict = judge_below(name, limit_ms, wider, "ms", invalid)
    if invalid:
        return verdict
    said = (verdict.reason, *_unheard(clicks, verdict), *one_session(clicks))
    return replace(verdict, reason=" ".join(said))


def late_ms(clicks: pd.DataFrame) -> "pd.Series[float]":
    """Return the latencies of clicks, infinite for clicks that were never heard."""
    return clicks["latency_ms"].fillna(np.inf)


def one_session(table: pd.DataFrame) -> Iterator[str]:
    """Yield `ONE_SESSION` where there was one session only."""
    if len(set(table["session"])) == 1:
        yield ONE_SESSION


def worst_p95(clicks: pd.DataFrame) -> Estimate:
    """Estimate the highest 95th percentile of all paths."""
    paths = [path for _, path in clicks.groupby(["sender", "receiver"], sort=False)]
    rng = resampling()
    return worst_of(
        [p95(late_ms(path), rng, sessions=path["session"], among=len(paths)) for path in paths]
    )


def _unheard(clicks: pd.DataFrame, verdict: Verdict) -> Iterator[str]:
    """Yield a sentence if clicks that were never heard make the figure or its end infinite."""
    missed = {
        f"from {sender} to {receiver}": float(path["latency_ms"].isna().mean())
        for (sender, receiver), path in clicks.groupby(["sender", "receiver"], sort=False)
    }
    worst = max(missed, key=missed.__getitem__)
    if missed[worst] == 0 or np.isfinite(verdict.interval[1]):
        return
    words = f"{100 * missed[worst]:.3g} % of the clicks {worst} were never heard"
    if np.isinf(verdict.value):
        yield f"{words}, so the 95th percentile is infinite."
    else:
        yield f"{words}, and among other clicks it may be more."
