"""Verdict on the worst of several paths, from the latencies of their clicks."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from jamlab.measure.statistics import Estimate, median, p95, resampling, worst_of
from jamlab.measure.verdict import Verdict, judge_below

CLICKS = {
    "session": "int64",
    "sender": "object",
    "receiver": "object",
    "click": "int64",
    "emitted_s": "float64",  # seconds since the session's measurement began
    "latency_ms": "float64",  # NaN when the click was not heard
    "confidence": "float64",
}
"""Columns of a table of clicks: a row per emitted click and path."""

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
    wider = possible(replace(found, low=found.low - error_ms, high=found.high + error_ms))
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
    return _worst(clicks, p95)


def worst_median(clicks: pd.DataFrame) -> Estimate:
    """Estimate the highest median of all paths."""
    return _worst(clicks, median)


def _worst(clicks: pd.DataFrame, quantile: Callable[..., Estimate]) -> Estimate:
    paths = [path for _, path in clicks.groupby(["sender", "receiver"], sort=False)]
    rng = resampling()
    return possible(
        worst_of(
            [
                quantile(late_ms(path), rng, sessions=path["session"], among=len(paths))
                for path in paths
            ]
        )
    )


def possible(found: Estimate) -> Estimate:
    """Return a delay's estimate with an interval that does not begin below 0.

    The models of `jamlab.measure.between_sessions` do not know that sound is never heard before it
    is made.

    Examples
    --------
    >>> possible(Estimate(178.0, -269.0, 626.0, 0.95))
    Estimate(value=178.0, low=0.0, high=626.0, confidence=0.95)
    """
    if math.isinf(found.low):
        return found
    return replace(found, low=max(found.low, min(0.0, found.value)))


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
