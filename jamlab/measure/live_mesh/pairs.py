"""Latency of every pair of a mesh record: one way as an interval, both ways as a figure.

A click from the sender to the receiver was emitted at *e* by the sender's clock and heard at *h* by
the receiver's. The offset φ(h) of the receiver's clock lies in a known interval
(`jamlab.measure.live_mesh.clock_offset`), and so does the latency ``h - φ(h) - e``. Its lower bound
is the physical floor; its upper bound is both ways together less the floor of the way back.

Both ways together need no offset: φ adds to one way what it takes from the other, except for its
change in the fraction of a second between the two clicks, at most `MAX_SKEW` times that fraction.
A sum below both floors is impossible: then the pair has no latency, and the reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jamlab.measure.live_mesh.clock_offset import (
    MAX_SKEW,
    NoOffsetError,
    OffsetBounds,
    offset_bounds,
)
from jamlab.measure.live_mesh.record import MeshRecord

PAIR_COLUMNS = {
    "sender": "object",
    "receiver": "object",
    "clicks": "int64",
    "heard_share": "float64",
    "one_way_min_ms": "float64",  # the median one-way latency lies between these two
    "one_way_max_ms": "float64",
    "both_ways_ms": "float64",  # median of there and back, the same for both directions
    "both_ways_p95_ms": "float64",
    "concealed_share": "float64",
    "offset_min_s": "float64",  # bounds of the offset of the receiver's clock to the sender's
    "offset_max_s": "float64",
    "skew_min_ppm": "float64",
    "skew_max_ppm": "float64",
    "why": "object",  # the reason why offset or latency is unknown; empty when both are known
}
"""Columns of the table of pairs; NaN where a value is unknown."""

_SAME_TIME_S = 1.0  # clicks further apart are not added up to a round trip


@dataclass(frozen=True)
class _Direction:
    """One direction of a pair."""

    emitted_s: NDArray[np.float64]
    heard_s: NDArray[np.float64]
    clicks: int
    floor_ms: float
    concealed_share: float
    packets: NDArray[np.float64]

    @property
    def apart_s(self) -> NDArray[np.float64]:
        """Receiver's reading less sender's reading of each click: latency and offset together."""
        return self.heard_s - self.emitted_s


def pairs_table(record: MeshRecord) -> pd.DataFrame:
    """Return a row per ordered pair of connected participants that took part, as `PAIR_COLUMNS`.

    Rows are sorted by sender and receiver.
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
    """Return each participant's worst partner: the peer with the longest latency both ways.

    A peer that is not heard, or does not hear, is worse than any other. Columns: ``player`` (the
    participant's name), ``partner``, ``both_ways_ms``, ``both_ways_p95_ms``; for the direction from
    the partner ``one_way_min_ms``, ``one_way_max_ms``, ``heard_share`` and ``concealed_share``.
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
        return row | {"why": "the way back is unknown"}
    first, second = (there, back) if sender < receiver else (back, there)
    sums_s = both_ways_s(first, second)
    if why := _impossible(sums_s, there.floor_ms + back.floor_ms, error_s):
        return row | {"why": why}
    row |= _both_ways(sums_s)
    try:
        bounds = offset_bounds(there.packets, back.packets)
    except NoOffsetError as error:
        return row | {"why": str(error)} | _one_way(there, back, None)
    return row | _offset(bounds, there, error_s) | _one_way(there, back, bounds)


def both_ways_s(there: _Direction, back: _Direction) -> NDArray[np.float64]:
    """Return the latency both ways, for each click and the click heard back at about that time.

    In seconds of two clocks, whose rates differ by less than `MAX_SKEW`.
    """
    if not len(there.heard_s) or not len(back.heard_s):
        return np.empty(0)
    between_s = np.abs(there.heard_s[:, np.newaxis] - back.emitted_s)
    nearest = between_s.argmin(axis=1)
    together = between_s.min(axis=1) <= _SAME_TIME_S
    sums_s = (there.apart_s + back.apart_s[nearest])[together]
    return np.asarray(sums_s, np.float64)


def _impossible(sums_s: NDArray[np.float64], floor_ms: float, error_s: float) -> str:
    """Return why a latency both ways cannot be; "" when it can, or is unknown."""
    if not len(sums_s):
        return ""
    median_ms = float(np.median(sums_s)) * 1000
    slack_ms = 1000 * (2 * error_s + MAX_SKEW * _SAME_TIME_S)
    if median_ms >= floor_ms - slack_ms:
        return ""
    return (
        f"both ways would take {median_ms:.1f} ms, and {floor_ms:.1f} ms is the least possible: "
        "the clock of a participant's sound was off, as when its machine stands still"
    )


def _both_ways(sums_s: NDArray[np.float64]) -> dict[str, float]:
    if not len(sums_s):
        return {}
    median_s, p95_s = np.quantile(sums_s, [0.5, 0.95])
    return {"both_ways_ms": median_s * 1000, "both_ways_p95_ms": p95_s * 1000}


def _offset(bounds: OffsetBounds, there: _Direction, error_s: float) -> dict[str, float]:
    """Return the bounds of the offset in the middle of the measurement, and of the skew."""
    least_s, most_s = bounds.offset_s([np.median(there.packets[:, 1])])
    slowest, fastest = bounds.skew
    return {
        "offset_min_s": float(least_s[0]) - error_s,
        "offset_max_s": float(most_s[0]) + error_s,
        "skew_min_ppm": slowest * 1e6,
        "skew_max_ppm": fastest * 1e6,
    }


def _one_way(there: _Direction, back: _Direction, bounds: OffsetBounds | None) -> dict[str, float]:
    """Return the bounds of the median one-way latency."""
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
    """Yield each participant that was asked and did not take part, with its answer."""
    rest = record.participants[record.participants["answer"] != "report"]
    yield from zip(rest["name"], rest["answer"], strict=True)
