"""Encodings side by side: the median of each over its sessions, their range, and the frontier."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jamlab.measure.sound_quality.record import SoundQualityRecord

FIGURES = ("payload_bps", "wire_bps", "latency_ms", "concealed_share", "sinad_db", "zimtohrli")
"""Columns of the sessions' table that are summed up."""

_ENCODING = ["network", "quality", "frame_frames"]


def encodings_table(record: SoundQualityRecord) -> pd.DataFrame:
    """Return a row per network and encoding, in the order of the record.

    Columns: ``network``, ``quality``, ``frame_frames``; each of `FIGURES`, the median of the
    sessions, with ``…_low`` and ``…_high``, their least and greatest value; and ``frontier``,
    whether no other encoding of that network is better.

    An encoding is better than another if it is no worse in latency and in zimtohrli's figure, and
    better in one of them, by its own worst session and the other's best. So an encoding that the
    sessions cannot tell from a better one is on the frontier, too.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"network": "cable", "quality": "low latency", "session": 0, "payload_bps": 128e3}
    >>> row |= {"wire_bps": 314e3, "concealed_share": 0.0, "sinad_db": 13.0}
    >>> sessions = [
    ...     row | {"frame_frames": 120, "latency_ms": 9.0, "zimtohrli": 4.9},
    ...     row | {"frame_frames": 960, "latency_ms": 25.0, "zimtohrli": 4.8},
    ... ]
    >>> record = SoundQualityRecord(pd.DataFrame(sessions), {})
    >>> encodings_table(record)[["frame_frames", "latency_ms", "frontier"]]
       frame_frames  latency_ms  frontier
    0           120         9.0      True
    1           960        25.0     False
    """
    groups = record.sessions.groupby(_ENCODING, sort=False)[list(FIGURES)]
    middle, low, high = groups.median(), groups.min(), groups.max()
    table = middle.join(low.add_suffix("_low")).join(high.add_suffix("_high")).reset_index()
    table["frontier"] = False
    for _, rows in table.groupby("network", sort=False):
        table.loc[rows.index, "frontier"] = _unbeaten(rows)
    return table


def _unbeaten(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Return whether no other row is surely better; False for a row without figures."""
    best = _costs(rows, "latency_ms_low", "zimtohrli_high")
    worst = _costs(rows, "latency_ms_high", "zimtohrli_low")
    no_worse = np.all(worst[np.newaxis] <= best[:, np.newaxis], axis=2)
    better = np.any(worst[np.newaxis] < best[:, np.newaxis], axis=2)
    known = np.isfinite(best).all(axis=1)
    return np.asarray(known & ~np.any(no_worse & better, axis=1), np.bool_)


def _costs(rows: pd.DataFrame, latency: str, score: str) -> NDArray[np.float64]:
    """Return what is better the lower it is: latency, and the score below 0."""
    return np.stack([rows[latency].to_numpy(np.float64), -rows[score].to_numpy(np.float64)], axis=1)
