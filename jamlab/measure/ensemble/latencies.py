"""The latencies between all participants of a record, each as an interval."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.run import ONE_WAY
from jamlab.measure.latency.verdicts import paths_table
from jamlab.measure.live_mesh.pairs import pairs_table
from jamlab.measure.live_mesh.record import MeshRecord

EnsembleRecord = LatencyRecord | MeshRecord
"""Records of the one-way latencies between participants."""


@dataclass(frozen=True)
class Latencies:
    """One-way latencies from each participant (row) to each other (column).

    Where nothing is known of a path, the interval is from 0 to infinity.
    """

    names: tuple[str, ...]
    low_ms: NDArray[np.float64]
    high_ms: NDArray[np.float64]

    def worse_ms(self, one: int, other: int) -> tuple[float, float]:
        """Return the interval of the later of the two directions between two participants."""
        there, back = (one, other), (other, one)
        low = max(float(self.low_ms[there]), float(self.low_ms[back]))
        return low, max(float(self.high_ms[there]), float(self.high_ms[back]))


def latencies_of(record: EnsembleRecord) -> Latencies:
    """Return the medians of all one-way latencies, as intervals.

    Those of a latency record are confidence intervals; those of a live mesh contain the median for
    any offset of the clocks.
    """
    if isinstance(record, MeshRecord):
        return _matrix(pairs_table(record), "one_way_min_ms", "one_way_max_ms")
    paths = paths_table(record)
    one_way = paths[paths["measurement"] == ONE_WAY]
    return _matrix(one_way, "median_ms_low", "median_ms_high")


def _matrix(paths: pd.DataFrame, low: str, high: str) -> Latencies:
    names = tuple(sorted({*paths["sender"], *paths["receiver"]}))
    lows, highs = (np.full((len(names), len(names)), end) for end in (0.0, math.inf))
    np.fill_diagonal(highs, 0.0)
    for row in paths.to_dict("records"):
        place = names.index(row["sender"]), names.index(row["receiver"])
        if not math.isnan(row[low]) and not math.isnan(row[high]):
            lows[place], highs[place] = max(row[low], 0.0), row[high]
    return Latencies(names, lows, highs)
