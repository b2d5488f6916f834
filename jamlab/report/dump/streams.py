"""Numbers of a dump's connections and audio streams, by which figures and tables call them.

Names in a dump are long, and may have any characters: figures, whose letters are drawn, show
numbers.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jamlab.measure.dump.dump import Dump

STREAM = ["connection", "direction", "stream"]
MOST_DRAWN = 6
"""The most streams, or connections, that a figure has."""

_GAP = 3.0  # intervals of the usual length


def connection_numbers(dump: Dump) -> dict[str, int]:
    """Return the number of each connection, from 1."""
    return {name: number for number, name in enumerate(dump.connections["connection"], start=1)}


def numbered_streams(dump: Dump) -> Iterator[tuple[int, tuple[str, ...], pd.DataFrame]]:
    """Yield the number of each audio stream, from 1, its key of `STREAM`, and its rows."""
    groups = dump.audio.groupby(STREAM, sort=False)
    for number, (key, rows) in enumerate(groups, start=1):
        yield number, tuple(map(str, key)), rows


def parted(time_s: "pd.Series[float]", *values: "pd.Series[float]") -> list[NDArray[np.float64]]:
    """Return times and values as arrays, with NaN where samples are missing.

    Lines and areas then have a gap there. Samples are missing where an interval is three times as
    long as usual.
    """
    times = time_s.to_numpy(np.float64)
    steps = np.diff(times)
    usual = float(np.median(steps)) if len(steps) else 0.0
    gaps = np.flatnonzero(steps > _GAP * usual) + 1
    middles = (times[gaps] + times[gaps - 1]) / 2
    arrays = (np.insert(each.to_numpy(np.float64), gaps, np.nan) for each in values)
    return [np.asarray(each, np.float64) for each in (np.insert(times, gaps, middles), *arrays)]
