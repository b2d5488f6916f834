"""Verdicts on a dump, where it settles one.

A dump has no capture stage, so it never shows that a latency is small enough. It can show that it
is not: the receive side alone is a lower bound of the latency one way.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from jamlab.measure.digits import duration
from jamlab.measure.dump.audio import INBOUND
from jamlab.measure.dump.connections import NEGOTIATED
from jamlab.measure.dump.dump import Dump
from jamlab.measure.dump.stages import STREAM
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.verdicts import ONE_WAY_TARGET_MS
from jamlab.measure.statistics import Estimate, median, p95, resampling
from jamlab.measure.verdict import Outcome, Verdict, judge_at_least, judge_below, unmeasured

CONNECTED = "connections that connected"
ONE_WAY = "one way, receive side alone, 95th percentile of the worst stream"
CONCEALED = "concealed sound, share of the worst stream"

_NO_CAPTURE = (
    "The capture stage is not in a dump, nor how the round trip divides into there and back, so "
    "the latency one way may be more by any amount"
)
_NO_PEER = "The dump has no peer connection that was negotiated."
_NO_AUDIO = "The dump has no audio stream that played."


def dump_verdicts(dump: Dump, max_concealed_percent: float | None = None) -> list[Verdict]:
    """Return the verdicts on a dump: connected, one-way latency, concealed sound.

    `max_concealed_percent` is the limit of concealed sound, by default that of a latency plan.

    Examples
    --------
    >>> from jamlab import example_dump
    >>> for verdict in dump_verdicts(example_dump()):
    ...     print(f"{verdict.name}: {verdict.verdict.value}")
    connections that connected: PASS
    one way, receive side alone, 95th percentile of the worst stream: FAIL
    concealed sound, share of the worst stream: PASS
    """
    limit = LatencyPlan().max_concealed_percent
    limit = limit if max_concealed_percent is None else max_concealed_percent
    return [_connected(dump), _one_way(dump), _concealed(dump, limit)]


def _connected(dump: Dump) -> Verdict:
    """Judge the share of connections that connected; one that neither did nor failed may yet."""
    tried = dump.connections[dump.connections[NEGOTIATED]]
    if tried.empty:
        return unmeasured(CONNECTED, Outcome.NOT_RUN, _NO_PEER)
    connected = int(tried["connected"].sum())
    open_ = int((~tried["connected"] & ~tried["failed"]).sum())
    low, high = (100 * count / len(tried) for count in (connected, connected + open_))
    estimate = Estimate(low, low, high, 1.0)
    verdict = judge_at_least(CONNECTED, 100.0, estimate, "%")
    reason = " ".join([*_counted(connected, open_, len(tried)), *_how(tried)])
    return replace(verdict, reason=reason)


def _counted(connected: int, open_: int, tried: int) -> Iterator[str]:
    yield f"{connected} of {tried} connected."
    if open_:
        yield f"{open_} had neither connected nor failed at the dump's end."


def _how(tried: pd.DataFrame) -> Iterator[str]:
    """Yield routes, and the longest time from the first description to connected."""
    for route in ("direct", "relayed"):
        if count := int((tried["route"] == route).sum()):
            yield f"{count} {'was' if count == 1 else 'were'} {route} in the end."
    timed = tried.dropna(subset=["time_to_connect_s"])
    if len(timed):
        slowest = timed.sort_values("time_to_connect_s").iloc[-1]
        low, high = slowest["time_to_connect_low_s"], slowest["time_to_connect_high_s"]
        yield f"The slowest took {duration(low, high)} from its first description."


def _one_way(dump: Dump) -> Verdict:
    """Judge the receive side as a lower bound of the latency one way.

    A 95th percentile is never below the median, so that of the low ends of both, the higher one
    holds: a short dump has too few seconds for the 95th percentile.
    """
    streams = [each["receive_ms"].to_numpy() for _, each in dump.stages.groupby(STREAM, sort=False)]
    if not streams:
        outcome = Outcome.NOT_RUN if dump.connections.empty else Outcome.INCONCLUSIVE
        return unmeasured(ONE_WAY, outcome, _NO_AUDIO)
    rng, among = resampling(), 2 * len(streams)
    high = [p95(values, rng, among=among) for values in streams]
    low = max(each.low for each in (*high, *(median(v, rng, among=among) for v in streams)))
    value = max(each.value for each in high)
    bound = Estimate(value, min(low, value), np.inf, high[0].confidence)
    verdict = judge_below(ONE_WAY, ONE_WAY_TARGET_MS, bound, "ms")
    return replace(verdict, reason=_why_one_way(verdict))


def _why_one_way(verdict: Verdict) -> str:
    figure = f"Jitter buffer and playout take {verdict.measured}"
    if verdict.verdict is Outcome.FAIL:
        return (
            f"{figure}: the receive side alone misses the target of less than "
            f"{verdict.limit:g} ms one way. {_NO_CAPTURE}."
        )
    return f"{figure}. {_NO_CAPTURE}: measure from mouth to ear."


def _concealed(dump: Dump, limit: float) -> Verdict:
    """Judge the share of concealed samples of the worst stream, counted over the dump.

    Sound that was concealed with silence may be that of a sender that was paused: it is in the high
    end alone.
    """
    heard = dump.audio[(dump.audio["direction"] == INBOUND) & (dump.audio["samples"] > 0)]
    if heard.empty:
        outcome = Outcome.NOT_RUN if dump.connections.empty else Outcome.INCONCLUSIVE
        return unmeasured(CONCEALED, outcome, _NO_AUDIO)
    totals = heard.groupby(STREAM)[["samples", "concealed_samples", "silent_concealed_samples"]]
    sums = totals.sum()
    most = 100 * sums["concealed_samples"] / sums["samples"]
    least = most - 100 * sums["silent_concealed_samples"] / sums["samples"]
    worst = Estimate(float(most.max()), float(least.clip(lower=0).max()), float(most.max()), 1.0)
    verdict = judge_below(CONCEALED, limit, worst, "%")
    return replace(verdict, reason=" ".join([verdict.reason, *_of_silence(worst)]))


def _of_silence(worst: Estimate) -> Iterator[str]:
    if worst.low < worst.high:
        yield (
            "The low end leaves out what was concealed with silence: a sender that paused, or a "
            "long gap."
        )
