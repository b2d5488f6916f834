"""Success rates of calls, by configuration and by pair of places.

There are three figures, because a nominated relay does not mean that there was no direct path
(aioice nominates the first pair whose check succeeds, RFC 8445 §8.1.1):

- *direct-capable*: direct where no relay is offered, under `STUN_ONLY`;
- *selected direct*: direct under the configuration itself;
- *connected*: direct or relayed.

`jamlab.measure.connectivity.sensitivity` computes them for a population.
"""

from typing import Literal

import numpy as np
import pandas as pd

from jamlab.measure.connectivity.attempt import DIRECT, FAILED, RELAYED
from jamlab.measure.connectivity.record import STUN_ONLY
from jamlab.measure.statistics import proportion

Figure = Literal["direct", "connected"]
"""The criterion of success: a direct path, or any path."""


def succeeded(attempts: pd.DataFrame, figure: Figure) -> "pd.Series[bool]":
    """Return which attempts succeeded."""
    return attempts["result"] == DIRECT if figure == "direct" else attempts["result"] != FAILED


def direct_capable(attempts: pd.DataFrame) -> set[int]:
    """Return the numbers of the calls that were direct under `STUN_ONLY`."""
    direct = (attempts["configuration"] == STUN_ONLY) & (attempts["result"] == DIRECT)
    return set(attempts.loc[direct, "call"])


def success_table(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return a row per configuration, in the order tried.

    Columns: ``configuration``, ``calls``; ``direct_capable``, ``selected_direct``, ``connected``
    and ``relayed``, shares of 0 to 1, each with ``…_low`` and ``…_high`` of Wilson's 95 % interval.
    ``relayed`` is what TURN gains: connected less selected direct. ``avoidable`` is the share of
    calls that were relayed although direct-capable. ``direct_capable`` and ``avoidable`` are over
    the calls that were also made under `STUN_ONLY`; NaN if there are none.
    """
    rows = [
        _configuration_row(str(name), of_one, attempts)
        for name, of_one in attempts.groupby("configuration", sort=False)
    ]
    return pd.DataFrame(rows)


def _configuration_row(
    name: str, of_one: pd.DataFrame, attempts: pd.DataFrame
) -> dict[str, object]:
    bare = attempts.loc[attempts["configuration"] == STUN_ONLY, "call"]
    paired = of_one[of_one["call"].isin(bare)]
    capable = paired["call"].isin(direct_capable(attempts))
    avoidable = capable & (paired["result"] == RELAYED)
    row: dict[str, object] = {"configuration": name, "calls": len(of_one)}
    row |= _columns("direct_capable", capable)
    row |= _columns("selected_direct", succeeded(of_one, "direct"))
    row |= _columns("connected", succeeded(of_one, "connected"))
    row |= _columns("relayed", of_one["result"] == RELAYED)
    return row | _columns("avoidable", avoidable)


def _columns(name: str, successes: "pd.Series[bool]") -> dict[str, float]:
    estimate = proportion(int(successes.sum()), len(successes))
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def pair_table(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return a row per configuration and unordered pair of places.

    Columns: ``configuration``, ``place`` and ``other`` (in alphabetical order), ``calls``;
    ``direct`` and ``connected``, each with ``…_low`` and ``…_high`` of Wilson's 95 % interval.
    """
    ends = np.sort(attempts[["caller", "callee"]].to_numpy(str), axis=1)
    keys = [attempts["configuration"], ends[:, 0], ends[:, 1]]
    rows = []
    for (configuration, place, other), calls in attempts.groupby(keys, sort=False):
        row = {"configuration": configuration, "place": place, "other": other, "calls": len(calls)}
        row |= _columns("direct", succeeded(calls, "direct"))
        rows.append(row | _columns("connected", succeeded(calls, "connected")))
    return pd.DataFrame(rows)
