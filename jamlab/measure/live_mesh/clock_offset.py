"""Offset and skew between two machines' clocks, as bounds from the times of packets.

Theory
------
Let φ(h) be the offset, the time by which the receiver's clock is ahead of the sender's when the
receiver's reads h. A packet sent when the sender's clock read *s*, and received when the receiver's
read *r*, took 0 s or more. So at its arrival the sender's clock read *s* or more::

    φ(r) = r - (sender's reading then) ≤ r - s

A packet in the other direction, sent at *r'* by the receiver's clock and received at *s'* by the
sender's, gives ``φ(r') ≥ r' - s'``. Nothing is assumed about the packets' delays, nor that they are
equal in both directions: half of a round trip is never taken for a one-way delay.

Over a short time clocks drift evenly, ``φ(h) = φ₀ + skew·h``, and no computer's clock has a larger
frequency error than `MAX_SKEW` (MAXFREQ of RFC 5905, appendix A). Each packet then excludes a
half-plane of (offset, skew), and a convex polygon remains; the lowest and the highest offset at any
time, and the lowest and the highest skew, are at its corners. This is the linear programme of Moon,
Skelly and Towsley (INFOCOM 1999) with both directions in it, solved for the whole feasible set
instead of one best line, as Marzullo and Owicki (1983) intersect the intervals of several clocks.

The interval is as wide as the delays of the quickest packets of both directions together, less what
the skew can hide between them. It is empty when a clock was set in the meantime or did not run
evenly, or when one side reports false times: that is an error, not an interval.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_SKEW = 500e-6
"""Largest skew between two clocks, in seconds per second."""

RESOLUTION_S = 1e-6
"""Tolerance of a reading, for rounding and floating point."""

_SKEW, _OFFSET = 1, 0


class NoOffsetError(ValueError):
    """Raised when the readings do not bound the offset, or contradict each other."""


@dataclass(frozen=True)
class OffsetBounds:
    """All offsets and skews that the packets allow between two clocks.

    `corners`, shape (n, 2), are those of the polygon: the offset in seconds when the receiver's
    clock reads `origin_s`, and the skew.
    """

    origin_s: float
    corners: NDArray[np.float64]

    def offset_s(self, at_s: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the least and the greatest offset at readings of the receiver's clock, shape (n,).

        An offset is the seconds by which the receiver's clock is then ahead of the sender's.
        """
        since_s = np.asarray(at_s, np.float64)[..., np.newaxis] - self.origin_s
        offsets_s = self.corners[:, _OFFSET] + self.corners[:, _SKEW] * since_s
        return offsets_s.min(axis=-1), offsets_s.max(axis=-1)

    @property
    def skew(self) -> tuple[float, float]:
        """Least and greatest skew: seconds the receiver's clock gains in one of its seconds."""
        skews = self.corners[:, _SKEW]
        return float(skews.min()), float(skews.max())


def offset_bounds(there: ArrayLike, back: ArrayLike, max_skew: float = MAX_SKEW) -> OffsetBounds:
    """Return the bounds that packets of both directions set.

    `there`, shape (n, 2), has a row per packet from the sender to the receiver, in seconds: the
    sender's clock at or before its sending, and the receiver's clock at or after its arrival.
    `back`, shape (m, 2), likewise has the receiver's and the sender's clock, for packets in the
    other direction. Raises `NoOffsetError` when one direction has no packets, or no pair of clocks
    fits the readings.
    """
    most, least = _readings(there, "there"), _readings(back, "back")
    at_s = np.concatenate([most[:, 1], least[:, 0]])
    limits_s = np.concatenate([most[:, 1] - most[:, 0], least[:, 0] - least[:, 1]])
    signs = np.repeat([1.0, -1.0], [len(most), len(least)])
    origin_s = float((at_s.min() + at_s.max()) / 2)
    corners = _box(at_s - origin_s, limits_s, signs, max_skew)
    for since_s, limit_s, sign in zip(at_s - origin_s, limits_s, signs, strict=True):
        normal = sign * np.array([1.0, since_s])
        corners = _clip(corners, normal, sign * limit_s + RESOLUTION_S)
    return OffsetBounds(origin_s, corners)


def _readings(packets: ArrayLike, way: str) -> NDArray[np.float64]:
    readings = np.asarray(packets, np.float64).reshape(-1, 2)
    if not len(readings):
        raise NoOffsetError(f"no packet {way} was noted at both ends")
    if not np.isfinite(readings).all():
        raise NoOffsetError(f"a packet {way} has no time")
    return readings


def _box(
    since_s: NDArray[np.float64],
    limits_s: NDArray[np.float64],
    signs: NDArray[np.float64],
    max_skew: float,
) -> NDArray[np.float64]:
    """Return the corners of a rectangle that contains every possible offset and skew."""
    drift_s = max_skew * np.abs(since_s) + 2 * RESOLUTION_S
    above, below = signs > 0, signs < 0
    most_s = (limits_s + drift_s)[above].min()
    least_s = (limits_s - drift_s)[below].max()
    if least_s > most_s:
        raise _contradiction()
    ends_s, skews = (least_s, most_s, most_s, least_s), (-max_skew, -max_skew, max_skew, max_skew)
    return np.column_stack([ends_s, skews])


def _clip(
    corners: NDArray[np.float64], normal: NDArray[np.float64], limit_s: float
) -> NDArray[np.float64]:
    """Return the part of a convex polygon where ``normal · corner ≤ limit``.

    I. E. Sutherland and G. W. Hodgman, "Reentrant polygon clipping", CACM 17(1), 1974.
    """
    beyond_s = corners @ normal - limit_s
    if (beyond_s <= 0).all():
        return corners
    kept: list[NDArray[np.float64]] = []
    for here in range(len(corners)):
        before = here - 1
        if (beyond_s[before] <= 0) != (beyond_s[here] <= 0):
            share = beyond_s[before] / (beyond_s[before] - beyond_s[here])
            kept.append(corners[before] + share * (corners[here] - corners[before]))
        if beyond_s[here] <= 0:
            kept.append(corners[here])
    if not kept:
        raise _contradiction()
    return np.array(kept)


def _contradiction() -> NoOffsetError:
    return NoOffsetError(
        "the readings contradict each other: a clock was set while they were taken, or ran unevenly"
    )
