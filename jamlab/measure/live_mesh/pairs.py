"""What a mesh's record says of every pair: one way as an interval, both ways as a figure.

A click that went from the sender to the receiver was emitted at *e* by the sender's clock and heard
at *h* by the receiver's. By how much that one is ahead, φ(h), is known to lie in an interval
(`jamlab.measure.live_mesh.clock_offset`), so the latency ``h - φ(h) - e`` does, too. It is never
less than packet, look-ahead and card take, nor more than both ways less as much for the way back.

Both ways together need no offset: what φ adds to one it takes from the other, up to what it changes
by in the fraction of a second between the two clicks, below `MAX_SKEW` of it. That sum is exact.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jamlab.measure.live_mesh.clock_offset import NoOffsetError, OffsetBounds, offset_bounds
from jamlab.measure.live_mesh.record import MeshRecord

PAIR_COLUMNS = {
    "sender": "object",
    "receiver": "object",
    "clicks": "int64",
    "heard_share": "float64",
    "one_way_min_ms": "float64",  # the median latency one way is between these two
    "one_way_max_ms": "float64",
    "both_ways_ms": "float64",  # median of there and back, the same for both directions
    "both_ways_p95_ms": "float64",
    "concealed_share": "float64",
    "offset_min_s": "float64",  # the receiver's clock is ahead of the sender's by as much
    "offset_max_s": "float64",
    "skew_min_ppm": "float64",
    "skew_max_ppm": "float64",
    "why": "object",  # there is no offset; empty when there is one
}
"""Columns of the table of pairs; NaN where the record does not say."""

_SAME_TIME_S = 1.0  # two clicks further apart than that are no there and back


@dataclass(frozen=True)
class _Direction:
    """What is known of one direction of a pair."""

    emitted_s: NDArray[np.float64]
    heard_s: NDArray[np.float64]
    clicks: int
    floor_ms: float
    concealed_share: float
    packets: NDArray[np.float64]

    @property
    def apart_s(self) -> NDArray[np.float64]:
        """Latency, in two clocks."""
        return self.heard_s - self.emitted_s


def pairs_table(record: MeshRecord) -> pd.DataFrame:
    """Return a row per ordered pair of those who took part and are connected.

    Returns
    -------
    DataFrame
        With the columns of `PAIR_COLUMNS`, by sender and receiver.
    """
    keys = zip(record.streams["sender"], record.streams["receiver"], strict=True)
    directions = {(a, b): _direction(record, a, b) for a, b in keys}
    errors_s = record.participants.set_index("name")["clock_error_s"]
    rows = [
        _row(sender, receiver, directions, float(errors_s[sender] + errors_s[receiver]))
        for sender, receiver in directions
    ]
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS)).astype(PAIR_COLUMNS)


def worst_partners(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return everybody's worst partner: the one that is furthest away, both ways.

    A partner that is not heard, or does not hear, is worse than any that does.

    Parameters
    ----------
    pairs : DataFrame
        Of `pairs_table`.

    Returns
    -------
    DataFrame
        A row per player: ``player``, ``partner``, ``both_ways_ms``, ``both_ways_p95_ms``, and of
        what the player hears of the partner ``one_way_min_ms``, ``one_way_max_ms``, ``heard_share``
        and ``concealed_share``.
    """
    worst = pairs.sort_values("both_ways_p95_ms", na_position="last", kind="stable")
    worst = worst.groupby("receiver").tail(1).sort_values("receiver")
    named = worst.rename(columns={"receiver": "player", "sender": "partner"})
    figures = ["both_ways_ms", "both_ways_p95_ms", "one_way_min_ms", "one_way_max_ms"]
    columns = ["player", "partner", *figures, "heard_share", "concealed_share"]
    return named[columns].reset_index(drop=True)


def _direction(record: MeshRecord, sender: str, receiver: str) -> _Direction:
    clicks, packets, streams = (
        table[(table["sender"] == sender) & (table["receiver"] == receiver)]
        for table in (record.clicks, record.packets, record.streams)
    )
    heard, stream = clicks.dropna(subset="heard_s"), streams.iloc[0]
    due = stream["played_frames"] + stream["concealed_frames"]
    return _Direction(
        heard["emitted_s"].to_numpy(np.float64),
        heard["heard_s"].to_numpy(np.float64),
        len(clicks),
        float(stream["floor_ms"]),
        float(stream["concealed_frames"] / max(due, 1)),
        packets[["sent_s", "came_s"]].to_numpy(np.float64),
    )


def _row(
    sender: str,
    receiver: str,
    directions: dict[tuple[str, str], _Direction],
    error_s: float,
) -> dict[str, Any]:
    there, back = directions[sender, receiver], directions.get((receiver, sender))
    row: dict[str, Any] = {
        "sender": sender,
        "receiver": receiver,
        "clicks": there.clicks,
        "heard_share": len(there.heard_s) / max(there.clicks, 1),
        "concealed_share": there.concealed_share,
        "why": "",
    }
    if back is None:
        return row | {"why": "nothing is known of the way back"}
    first, second = (there, back) if sender < receiver else (back, there)
    row |= _both_ways(both_ways_s(first, second))
    try:
        bounds = offset_bounds(there.packets, back.packets)
    except NoOffsetError as error:
        return row | {"why": str(error)} | _one_way(there, back, None)
    return row | _offset(bounds, there, error_s) | _one_way(there, back, bounds)


def both_ways_s(there: _Direction, back: _Direction) -> NDArray[np.float64]:
    """Return the latency of each click heard there, and of the one heard back at about that time.

    In seconds of the two clocks, one for each way, which differ by less than `MAX_SKEW`.
    """
    if not len(there.heard_s) or not len(back.heard_s):
        return np.empty(0)
    between_s = np.abs(there.heard_s[:, np.newaxis] - back.emitted_s)
    nearest = between_s.argmin(axis=1)
    together = between_s.min(axis=1) <= _SAME_TIME_S
    sums_s = (there.apart_s + back.apart_s[nearest])[together]
    return np.asarray(sums_s, np.float64)


def _both_ways(sums_s: NDArray[np.float64]) -> dict[str, float]:
    if not len(sums_s):
        return {}
    median_s, p95_s = np.quantile(sums_s, [0.5, 0.95])
    return {"both_ways_ms": median_s * 1000, "both_ways_p95_ms": p95_s * 1000}


def _offset(bounds: OffsetBounds, there: _Direction, error_s: float) -> dict[str, float]:
    """Return what the clocks are to each other in the middle of the measurement."""
    least_s, most_s = bounds.offset_s([np.median(there.packets[:, 1])])
    slowest, fastest = bounds.skew
    return {
        "offset_min_s": float(least_s[0]) - error_s,
        "offset_max_s": float(most_s[0]) + error_s,
        "skew_min_ppm": slowest * 1e6,
        "skew_max_ppm": fastest * 1e6,
    }


def _one_way(there: _Direction, back: _Direction, bounds: OffsetBounds | None) -> dict[str, float]:
    """Return the interval in which the median latency there is."""
    if not len(there.heard_s):
        return {}
    sums_ms = both_ways_s(there, back) * 1000
    ends_ms = [(there.floor_ms, float(np.median(sums_ms)) - back.floor_ms)] if len(sums_ms) else []
    if bounds is not None:
        least_s, most_s = bounds.offset_s(there.heard_s)
        within_s = there.apart_s - most_s, there.apart_s - least_s
        ends_ms.append((float(np.median(within_s[0])) * 1000, float(np.median(within_s[1])) * 1000))
    if not ends_ms:
        return {}
    return {
        "one_way_min_ms": max(low for low, _ in ends_ms),
        "one_way_max_ms": min(high for _, high in ends_ms),
    }


def absent(record: MeshRecord) -> Iterator[tuple[str, str]]:
    """Yield who was asked and did not take part, and what it answered."""
    rest = record.participants[record.participants["answer"] != "report"]
    yield from zip(rest["name"], rest["answer"], strict=True)
