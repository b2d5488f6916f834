"""Time to connect as a cumulative incidence, in which failed attempts count.

A failed attempt can no longer connect: failure and connection are competing risks. A failed attempt
differs from one that is no longer observed and might still connect, so it is not censored. With
censoring (Kaplan and Meier) the curve would end at 100 % where half failed early and the rest
connected later. Leaving failures out would make a configuration that connects only the easy calls
look fast.

The curve is the cumulative incidence of connecting (Kalbfleisch and Prentice 2002 §8.2). In a
record every attempt has ended: it connected, or failed by its deadline. Without open attempts,
Aalen and Johansen's estimate is the plain share of all attempts that have connected by a time, with
the interval of a proportion. The curve levels off at the share that connects at all; a quantile
above that is not reached and is infinite.
"""

import json
import math
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jamlab.measure.statistics import CONFIDENCE, Estimate

QUANTILES = (0.5, 0.9, 0.95)
"""Quantiles of the time to connect in a report."""


def connection_curve(attempts: pd.DataFrame, confidence: float = CONFIDENCE) -> pd.DataFrame:
    """Return the share of attempts that have connected by a time.

    The attempts have ``time_to_connect_s``, NaN for failed ones, and ``observed_s``. The result has
    a row per time at which an attempt connected or failed, in order: ``time_s``, ``connected`` (0
    to 1) with ``connected_low`` and ``connected_high`` of the pointwise exact interval (Clopper and
    Pearson), ``at_risk``: attempts that had not ended before.
    """
    over_s = attempts["time_to_connect_s"].fillna(attempts["observed_s"]).to_numpy(np.float64)
    connected_s = np.sort(attempts["time_to_connect_s"].dropna().to_numpy(np.float64))
    time_s = np.unique(over_s)
    count = np.searchsorted(connected_s, time_s, side="right")
    low, high = _exact(count, len(attempts), confidence)
    return pd.DataFrame(
        {
            "time_s": time_s,
            "connected": count / max(1, len(attempts)),
            "connected_low": low,
            "connected_high": high,
            "at_risk": len(attempts) - np.searchsorted(np.sort(over_s), time_s),
        },
        dtype=np.float64,
    )


def _exact(
    successes: NDArray[np.int64], trials: int, confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the exact intervals of `proportion`, for an array of successes."""
    outside, failures = (1 - confidence) / 2, trials - successes
    low = stats.beta.ppf(outside, np.maximum(successes, 1), failures + 1)
    high = stats.beta.ppf(1 - outside, successes + 1, np.maximum(failures, 1))
    return np.where(successes > 0, low, 0.0), np.where(failures > 0, high, 1.0)


def time_to_connect(
    curve: pd.DataFrame, quantile: float, confidence: float = CONFIDENCE
) -> Estimate:
    """Return the time in seconds by which a share of all attempts has connected.

    The curve is that of `connection_curve` with the same `confidence`. The interval is the times at
    which the curve's band reaches the share (Brookmeyer and Crowley, Biometrics 38, 1982). A time
    is infinite where the curve, or the band, ends below the share. Raises ValueError when the
    quantile is not above 0 and up to 1.
    """
    if not 0 < quantile <= 1:
        raise ValueError(f"quantile is {quantile}: give a share above 0 up to 1")
    value, high, low = (
        _reached_s(curve, column, quantile)
        for column in ("connected", "connected_low", "connected_high")
    )
    return Estimate(value, low, high, confidence)


def _reached_s(curve: pd.DataFrame, column: str, share: float) -> float:
    reached = curve.loc[curve[column] >= share - 1e-12, "time_s"]
    return float(reached.min()) if len(reached) else math.inf


def quantile_table(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return a row per configuration: quantiles of the time to connect.

    Columns: ``configuration``, ``attempts``, ``failed`` (their number) and, for each of
    `QUANTILES`, ``p50_s`` with ``p50_s_low`` and ``p50_s_high``; infinite where not reached.
    """
    rows = []
    for configuration, of_one in attempts.groupby("configuration", sort=False):
        curve = connection_curve(of_one)
        row: dict[str, object] = {"configuration": configuration, "attempts": len(of_one)}
        row["failed"] = int(of_one["time_to_connect_s"].isna().sum())
        for quantile in QUANTILES:
            name, time_s = f"p{100 * quantile:.0f}_s", time_to_connect(curve, quantile)
            row |= {name: time_s.value, f"{name}_low": time_s.low, f"{name}_high": time_s.high}
        rows.append(row)
    return pd.DataFrame(rows)


def state_durations(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return how long each end stayed in each state of its connection.

    Columns: ``call``, ``configuration``, ``side``, ``kind`` ("ice" for RTCIceConnectionState,
    "connection" for RTCPeerConnectionState), ``state``, ``entered_s``, ``duration_s`` (until the
    next state of that side and kind, or until the attempt was no longer observed) and ``ended``:
    whether a next state came.
    """
    columns = ["call", "configuration", "observed_s", "states"]
    rows = [
        (call, configuration, *stay)
        for call, configuration, observed_s, states in attempts[columns].itertuples(index=False)
        for stay in _stays(json.loads(states), observed_s)
    ]
    names = ("call", "configuration", "side", "kind", "state", "entered_s", "duration_s", "ended")
    return pd.DataFrame(rows, columns=list(names))


def _stays(
    changes: Iterable[tuple[float, str, str, str]], observed_s: float
) -> Iterator[tuple[str, str, str, float, float, bool]]:
    """Yield for each state its side, kind, name, beginning, duration and whether it ended."""
    current: dict[tuple[str, str], tuple[float, str]] = {}
    for time_s, side, kind, state in changes:
        if (side, kind) in current:
            since_s, before = current[side, kind]
            yield side, kind, before, since_s, time_s - since_s, True
        current[side, kind] = (time_s, state)
    for (side, kind), (since_s, state) in current.items():
        yield side, kind, state, since_s, max(0.0, observed_s - since_s), False
