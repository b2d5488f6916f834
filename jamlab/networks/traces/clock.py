"""Correction of delays that were measured with two clocks, or their refusal.

The times of a trace are divided into slots, and of each the lower quartile of the delays is kept,
which queues and stalls hardly move. Where these levels rise or fall without end, by ranks
(`jamlab.media.playout.drift.slope_interval`), and by more than they scatter about the line, the
clocks ran at different rates: the slope is removed. A slope steeper than two clocks' is refused,
and so is a jump that is never taken back: one of the clocks was set.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jamlab.media.playout.drift import MAX_DRIFT, slope_interval
from jamlab.networks.model.delay_table import TraceError
from jamlab.networks.model.trace import DelayTrace

_SLOTS, _LEAST_SLOTS = 64, 12
_LEAST_S = 10.0  # of a trace: in less, a queue that fills looks like a drift
_PACKETS_A_SLOT = 4
_DEVIATIONS = 4.0
_LEAST_DRIFT_S = 0.0005  # in the whole trace, that is worth a correction
_SCATTERS = 2.0  # the least ratio of it to the levels' scatter: a network has good and bad minutes
_JUMP_S = 1.0
_SIDE = 3  # slots before and after a jump


def on_one_clock(trace: DelayTrace) -> DelayTrace:
    """Return a trace whose delays neither drift nor jump; raises `TraceError`.

    Absolute delays are returned as they are. What was corrected is in the notes.
    """
    if trace.absolute:
        return trace
    levels = _levels(trace)
    if len(levels) < _LEAST_SLOTS or trace.duration_s < _LEAST_S:
        return trace
    _check_jumps(levels, trace.name)
    slope = _drift(levels, trace)
    if slope == 0:
        return trace
    delay_s = trace.delay_s - slope * trace.sent_s
    note = f"a drift of {slope * 1e6:.0f} ppm between two clocks is removed"
    return replace(trace, delay_s=delay_s - np.nanmin(delay_s), notes=(*trace.notes, note))


def _levels(trace: DelayTrace) -> NDArray[np.float64]:
    """Return the middle of each slot and the lower quartile of its delays."""
    sent_s, delay_s = trace.sent_s[trace.received], trace.delay_s[trace.received]
    slots = min(_SLOTS, len(sent_s) // _PACKETS_A_SLOT)
    borders = np.searchsorted(sent_s, np.linspace(0, trace.sent_s[-1], slots + 1)[1:-1])
    parts = zip(np.split(sent_s, borders), np.split(delay_s, borders), strict=True)
    return np.array([(np.mean(s), np.quantile(d, 0.25)) for s, d in parts if len(s)])


def _scatter_s(levels: NDArray[np.float64], slope: float) -> float:
    """Return the width about the line that nine tenths of the levels are within."""
    low_s, high_s = np.quantile(levels[:, 1] - slope * levels[:, 0], (0.05, 0.95))
    return float(high_s - low_s)


def _check_jumps(levels: NDArray[np.float64], name: str) -> None:
    level_s = levels[:, 1]
    for at in range(_SIDE, len(level_s) - _SIDE + 1):
        before, after = level_s[:at], level_s[at:]
        up_s, down_s = after.min() - before.max(), before.min() - after.max()
        if max(up_s, down_s) > _JUMP_S:
            jump_s = up_s if up_s > down_s else -down_s
            raise TraceError(
                f"the delay of {name} jumps by {jump_s:+.1f} s after {levels[at, 0]:.0f} s for "
                "good, so a clock was set: cut it there"
            )


def _drift(levels: NDArray[np.float64], trace: DelayTrace) -> float:
    """Return the drift of the clocks, 0 unless it is certain; raises `TraceError` for a rise."""
    shallowest, steepest = slope_interval(levels, _DEVIATIONS)
    if shallowest <= 0 <= steepest:
        return 0.0
    slope, _ = slope_interval(levels, 0.0)
    least_s = max(_LEAST_DRIFT_S, _SCATTERS * _scatter_s(levels, slope))
    if abs(slope) * trace.duration_s < least_s:
        return 0.0
    if abs(slope) > MAX_DRIFT:
        raise TraceError(
            f"the delay of {trace.name} changes by {slope * 1000:+.3g} ms a second from beginning "
            f"to end, more than two clocks differ by ({MAX_DRIFT * 1e6:.0f} ppm): give delays by "
            "one clock"
        )
    return slope
