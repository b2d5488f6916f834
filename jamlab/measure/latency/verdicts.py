"""Paths, stages and verdicts of a latency record.

Delay and loss on a path count against the path: a click that was never heard is infinitely late,
and concealed sound has a verdict of its own. A machine that was too slow makes the run invalid,
because its latency is then not the path's: an event loop that lagged, cards that got their blocks
too late. So do packets on another route than planned.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.digits import over, plain
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.routes import wrong_routes
from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.measure.latency.stages import STAGES
from jamlab.measure.latency.stages import floor_ms as floor_of
from jamlab.measure.latency.worst_path import late_ms, one_session, worst_path_verdict
from jamlab.measure.record import once_per_record
from jamlab.measure.statistics import (
    Estimate,
    above_least,
    median,
    p95,
    proportion,
    resampling,
    share_of_sessions,
    worst_of,
)
from jamlab.measure.verdict import Outcome, Verdict, judge_below, unmeasured
from jamlab.media.quality import Quality, quality_named

ONE_WAY_TARGET_MS = 50.0
"""Target of the one-way latency on one network."""
ROUND_TRIP_TARGET_MS = 100.0
"""Target of the round trip through the peer's card."""

MAX_LAG_MS = 10.0
"""Largest 99th percentile of the loop's lag in a valid run."""
MAX_UNDERRUN_SHARE = 0.02
"""Largest share of a card's blocks that came too late in a valid run."""

_PATH = ["measurement", "sender", "receiver"]
_COUNTERS = ["concealed_frames", "played_frames", "card_underruns", "card_blocks"]
_JUDGED = (
    (ONE_WAY, ONE_WAY_TARGET_MS, "one-way latency"),
    (ROUND_TRIP, ROUND_TRIP_TARGET_MS, "round-trip latency"),
)


@once_per_record
def paths_table(record: LatencyRecord) -> pd.DataFrame:
    """Return a row per path, found once for each record.

    Columns: ``measurement``, ``sender``, ``receiver``, ``clicks``, ``sessions``, ``heard_share``;
    ``median_ms``, ``p95_ms`` and ``jitter_ms`` (RFC 5481 PDV), infinite where too many clicks were
    never heard, each with ``…_low`` and ``…_high`` of its 95 % interval; ``concealed_share`` of the
    frames due and ``underrun_share`` of the listener's blocks, over the same time.

    Examples
    --------
    >>> from jamlab import example_record
    >>> paths_table(example_record())[["measurement", "sender", "receiver", "clicks"]]
      measurement    sender  receiver  clicks
    0     one way  player 1  player 2     120
    1     one way  player 2  player 1     115
    2  round trip  player 2  player 1     115
    3  round trip  player 1  player 2     115
    """
    rows = [
        _path_row(path, clicks, record) for path, clicks in record.clicks.groupby(_PATH, sort=False)
    ]
    return pd.DataFrame(rows)


def _path_row(path: Any, clicks: pd.DataFrame, record: LatencyRecord) -> dict[str, Any]:
    rng = resampling()
    share = proportion(int(clicks["latency_ms"].notna().sum()), len(clicks))
    row = dict(zip(_PATH, path, strict=True))
    row |= {"clicks": len(clicks), "sessions": clicks["session"].nunique()}
    row |= {"heard_share": share.value}
    late, sessions = late_ms(clicks), clicks["session"]
    middle, high = (estimate(late, rng, sessions=sessions) for estimate in (median, p95))
    row |= _columns("median_ms", middle) | _columns("p95_ms", high)
    row |= _columns("jitter_ms", above_least(high, late))
    return row | _dropouts(record.streams, *path)


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _dropouts(
    streams: pd.DataFrame, measurement: str, sender: str, receiver: str
) -> dict[str, float]:
    """Return the concealed and underrun shares of a path; for a round trip, of both directions."""
    here = streams[streams["measurement"] == measurement]
    directions = [(sender, receiver)]
    if measurement == ROUND_TRIP:
        directions.append((receiver, sender))
        here = here[here["echoing"] == receiver]
    here = here.set_index(["sender", "receiver"])
    total: pd.Series[int] = here.loc[here.index.isin(directions), _COUNTERS].sum()
    due = total["concealed_frames"] + total["played_frames"]
    return {
        "concealed_share": total["concealed_frames"] / max(due, 1),
        "underrun_share": total["card_underruns"] / max(total["card_blocks"], 1),
    }


def sessions_table(record: LatencyRecord) -> pd.DataFrame:
    """Return a row per path and session, to show how sessions differ.

    Columns: ``measurement``, ``sender``, ``receiver``, ``session``, ``clicks``, ``heard``, and the
    session's own ``median_ms`` and ``p95_ms``, infinite where too many clicks were never heard.
    """
    groups = record.clicks.groupby([*_PATH, "session"], sort=False)
    rows = [
        dict(zip([*_PATH, "session"], path, strict=True))
        | {"clicks": len(clicks), "heard": int(clicks["latency_ms"].notna().sum())}
        | {f"{name}_ms": _own(clicks, share) for name, share in (("median", 0.5), ("p95", 0.95))}
        for path, clicks in groups
    ]
    return pd.DataFrame(rows)


def _own(clicks: pd.DataFrame, share: float) -> float:
    """Return a quantile of one session's latencies, without interpolation."""
    return float(np.quantile(late_ms(clicks), share, method="inverted_cdf"))


def floor_ms(record: LatencyRecord, measurement: str = ONE_WAY) -> float:
    """Return the physical floor of a measurement's latency, in milliseconds.

    For a round trip it is twice the one-way floor; see `jamlab.measure.latency.stages.floor_ms`.
    """
    quality = _quality(record)
    sending = _frame_frames(record) + quality.lookahead_frames
    one_way_ms = floor_of(sending, record.provenance["parameters"]["block_frames"])
    return (2 if measurement == ROUND_TRIP else 1) * one_way_ms


def aligned_blocks_ms(record: LatencyRecord) -> float:
    """Return the one-way latency with whole blocks: the floor and the captured block.

    A frame that ends in the middle of a block waits for the block's end, and a packet waits for
    the block that plays it. This is the latency where frames and blocks are equally long.
    """
    block_frames = record.provenance["parameters"]["block_frames"]
    return floor_ms(record) + float(block_frames / SAMPLE_RATE * 1000)


def _quality(record: LatencyRecord) -> Quality:
    return quality_named(record.provenance["parameters"]["quality"])


def _frame_frames(record: LatencyRecord) -> int:
    """Return the length of the Opus frames."""
    return _quality(record).frame_for(record.provenance["parameters"]["peers"] - 1)


def waterfall(record: LatencyRecord) -> pd.DataFrame:
    """Return the mean of each stage of the one-way latency, over all clicks with known stages.

    Rows are the stages of `jamlab.measure.latency.stages`, then ``residual``; they add up to the
    mean latency of these clicks, in the row ``measured``.

    Examples
    --------
    >>> from jamlab import example_record
    >>> waterfall(example_record()).round(2)
           stage  mean_ms
    0      frame     2.50
    1    capture     0.72
    2    network     0.18
    3    playout     1.91
    4       card     2.01
    5  lookahead     2.50
    6   residual     0.00
    7   measured     9.81
    """
    columns = [f"{stage}_ms" for stage in STAGES]
    known = record.clicks.dropna(subset=[*columns, "latency_ms"])
    means = known[columns].mean()
    measured = known["latency_ms"].mean()
    return pd.DataFrame(
        {
            "stage": [*STAGES, "residual", "measured"],
            "mean_ms": [*means, measured - means.sum(), measured],
        }
    )


def verdicts(record: LatencyRecord) -> list[Verdict]:
    """Return the verdicts on the 95th percentile of the latency and on concealed sound.

    The worst path decides.

    Examples
    --------
    >>> from jamlab import example_record
    >>> for verdict in verdicts(example_record()):
    ...     print(f"{verdict.name}: {verdict.verdict.value}")
    one-way latency, 95th percentile of the worst path: PASS
    round-trip latency, 95th percentile of the worst path: PASS
    concealed sound, share of the worst path: PASS
    """
    return [*(latency_verdict(record, *each) for each in _JUDGED), concealed_verdict(record)]


def latency_verdict(
    record: LatencyRecord, measurement: str, limit_ms: float, called: str
) -> Verdict:
    """Return the verdict on the highest 95th percentile of all paths.

    `called` is the figure's name in the verdict, e.g. ``"one-way latency"``.
    """
    name = f"{called}, 95th percentile of the worst path"
    clicks = record.clicks[record.clicks["measurement"] == measurement]
    if clicks.empty:
        reason = f"The record has no {measurement.replace(' ', '-')} measurement."
        return unmeasured(name, Outcome.NOT_RUN, reason)
    return worst_path_verdict(clicks, name, limit_ms, list(_invalid(record, measurement)))


def concealed_verdict(record: LatencyRecord, called: str = "concealed sound") -> Verdict:
    """Return the verdict on the highest share of concealed sound of all paths.

    The limit is the plan's. A machine that was late at either end may have caused concealment at
    the other: that much is taken off the low end of the interval, so that no path fails for it.
    """
    name = f"{called}, share of the worst path"
    if record.streams.empty:
        return unmeasured(name, Outcome.INCONCLUSIVE, f"There is no value of {name} to judge.")
    limit = record.provenance["parameters"]["max_concealed_percent"]
    invalid = list(_invalid(record))
    verdict = judge_below(name, limit, _worst_concealed(record), "%", invalid)
    if invalid:
        return verdict
    said = (verdict.reason, *_late(record.streams), *one_session(record.streams))
    return replace(verdict, reason=" ".join(said))


def _worst_concealed(record: LatencyRecord) -> Estimate:
    """Return the highest concealed share of all streams, in percent."""
    packet = _frame_frames(record)
    streams = [stream for _, stream in record.streams.groupby(["sender", "receiver"], sort=False)]
    late = _late_shares(record.streams)
    judged = []
    for stream in streams:
        counted = stream.groupby("session")[["concealed_frames", "played_frames"]].sum()
        parts, wholes = counted["concealed_frames"], counted.sum(axis=1)
        share = share_of_sessions(parts / packet, wholes / packet, among=len(streams))
        ends = stream[["sender", "receiver"]].iloc[0]
        low = max(0.0, share.low - sum(late.get(end, 0.0) for end in ends))
        judged.append(Estimate(100 * share.value, 100 * low, 100 * share.high, share.confidence))
    return worst_of(judged)


def _late(streams: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence on late blocks: silence that is the machine's, not the path's."""
    late = max(_late_shares(streams).values(), default=0.0)
    if late > 0:
        share = plain(100 * late, "%")
        yield f"In addition, {share} of a card's blocks came too late and were silent."


def _late_shares(streams: pd.DataFrame) -> dict[str, float]:
    """Return the share of late blocks of each participant's card."""
    cards = streams.groupby("receiver")[["card_underruns", "card_blocks"]].sum()
    return dict(cards["card_underruns"] / cards["card_blocks"].clip(lower=1))


def late_loop(lag_ms: float) -> Iterator[str]:
    """Yield the reason why a run with such a lag is invalid, as words to follow "because"."""
    if math.isnan(lag_ms):
        yield "the lag of the loop is not known"
    elif lag_ms > MAX_LAG_MS:
        yield f"the loop was {lag_ms:.1f} ms late at its 99th percentile (limit {MAX_LAG_MS:g} ms)"


def _invalid(record: LatencyRecord, measurement: str | None = None) -> Iterator[str]:
    """Yield each reason why the run is invalid, as words to follow "because"."""
    yield from late_loop(record.provenance["loop_lag"]["p99_ms"])
    streams = record.streams
    if measurement is not None:
        streams = streams[streams["measurement"] == measurement]
    late = max(_late_shares(streams).values(), default=0.0)
    if late > MAX_UNDERRUN_SHARE:
        most = 100 * MAX_UNDERRUN_SHARE
        yield f"{over(100 * late, '%', most)} of a card's blocks came too late (limit {most:g} %)"
    yield from wrong_routes(record.provenance)
