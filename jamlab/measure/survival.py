"""Time to connect, with the attempts that failed kept in: survival analysis.

An attempt that is given up at its deadline has not connected *yet*: its time to connect is beyond
what was observed, or censored. Leaving such attempts out would make every configuration look quick
that only connects what is easy. The estimator of Kaplan and Meier (JASA 53, 1958) counts each
attempt as long as it was observed. Its curve, the share connected within a time, levels off below 1
where attempts failed; a quantile above that level was not reached and is infinite.

Attempts given up early count as if they might have gone on to connect as those did that were still
trying. Where all are observed to one deadline, the curve is the plain share of all attempts.
"""

import json
import math
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jamlab.measure.statistics import CONFIDENCE, Estimate
from jamlab.measure.success import proportion

QUANTILES = (0.5, 0.9, 0.95)
"""Quantiles of the time to connect that a report gives."""


def connection_curve(attempts: pd.DataFrame, confidence: float = CONFIDENCE) -> pd.DataFrame:
    """Return the share of attempts that have connected by a time.

    Parameters
    ----------
    attempts : DataFrame
        ``time_to_connect_s``, NaN where there was no connection, and ``observed_s``.
    confidence : float
        Probability of the pointwise intervals.

    Returns
    -------
    DataFrame
        A row per time at which an attempt connected or was given up, in order: ``time_s``,
        ``connected`` (0 to 1) with ``connected_low`` and ``connected_high`` (Greenwood's variance
        of log(−log S), Kalbfleisch and Prentice 2002 §1.4; Wilson's interval where the curve is 0
        or 1 and that variance is undefined), ``at_risk``: attempts observed up to then.
    """
    if attempts.empty:
        return pd.DataFrame(
            columns=["time_s", "connected", "connected_low", "connected_high", "at_risk"],
            dtype=np.float64,
        )
    connected = attempts["time_to_connect_s"].notna()
    times_s = attempts["time_to_connect_s"].where(connected, attempts["observed_s"])
    curve = stats.ecdf(stats.CensoredData.right_censored(times_s, ~connected)).cdf
    low, high = _band(curve, int(connected.sum()), len(attempts), confidence)
    at_risk = len(attempts) - np.searchsorted(np.sort(times_s), curve.quantiles)
    return pd.DataFrame(
        {
            "time_s": curve.quantiles,
            "connected": curve.probabilities,
            "connected_low": low,
            "connected_high": high,
            "at_risk": at_risk,
        }
    )


def _band(
    curve: Any, events: int, attempts: int, confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # undefined ends: replaced below
        interval = curve.confidence_interval(confidence, method="log-log")
    none = proportion(0, attempts, confidence=confidence)
    all_ = proportion(events, events, confidence=confidence)
    at_0, at_1 = curve.probabilities <= 0, curve.probabilities >= 1
    low = np.where(at_0, none.low, np.where(at_1, all_.low, interval.low.probabilities))
    high = np.where(at_0, none.high, np.where(at_1, all_.high, interval.high.probabilities))
    return np.maximum.accumulate(low), np.maximum.accumulate(high)


def time_to_connect(
    curve: pd.DataFrame, quantile: float, confidence: float = CONFIDENCE
) -> Estimate:
    """Return the time by which a share of all attempts has connected.

    Parameters
    ----------
    curve : DataFrame
        From `connection_curve`, of the same `confidence`.
    quantile : float
        The share, above 0 up to 1.
    confidence : float
        Probability of the interval, the times at which the curve's band reaches the share
        (Brookmeyer and Crowley, Biometrics 38, 1982).

    Returns
    -------
    Estimate
        In seconds; infinite where the curve, or the band, ends below the share.

    Raises
    ------
    ValueError
        When the quantile is no share.
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

    Returns
    -------
    DataFrame
        ``configuration``, ``attempts``, ``censored`` (how many did not connect) and, for each of
        `QUANTILES`, ``p50_s`` with ``p50_s_low`` and ``p50_s_high``; infinite where not reached.
    """
    rows = []
    for configuration, of_one in attempts.groupby("configuration", sort=False):
        curve = connection_curve(of_one)
        row: dict[str, object] = {"configuration": configuration, "attempts": len(of_one)}
        row["censored"] = int(of_one["time_to_connect_s"].isna().sum())
        for quantile in QUANTILES:
            name, time_s = f"p{100 * quantile:.0f}_s", time_to_connect(curve, quantile)
            row |= {name: time_s.value, f"{name}_low": time_s.low, f"{name}_high": time_s.high}
        rows.append(row)
    return pd.DataFrame(rows)


def state_durations(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return how long each side stayed in each state of its connection.

    Parameters
    ----------
    attempts : DataFrame
        ``states`` as the attempts table has them.

    Returns
    -------
    DataFrame
        ``call``, ``configuration``, ``side``, ``kind`` ("ice" for RTCIceConnectionState,
        "connection" for RTCPeerConnectionState), ``state``, ``entered_s``, ``duration_s`` (until
        the next state of that side and kind, or until the attempt was no longer observed) and
        ``ended``: whether a next state came.
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
    """Yield each state's side, kind, name, beginning, duration and whether it ended."""
    current: dict[tuple[str, str], tuple[float, str]] = {}
    for time_s, side, kind, state in changes:
        if (side, kind) in current:
            since_s, before = current[side, kind]
            yield side, kind, before, since_s, time_s - since_s, True
        current[side, kind] = (time_s, state)
    for (side, kind), (since_s, state) in current.items():
        yield side, kind, state, since_s, max(0.0, observed_s - since_s), False
