"""What a latency record says: a row per path, the waterfall of stages, and the verdicts.

What is late or lost on a path is the path's: a click that was never heard is infinitely late, and
concealed sound has a verdict of its own. What the machine did not do in time spoils the run, for a
latency measured then is a figure of something else: a loop that kept no time, cards that were
served too late. So do packets that went another way than the run is about.
"""

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
"""Same network, one way."""
ROUND_TRIP_TARGET_MS = 100.0
"""There and back through the peer's card."""

MAX_LAG_MS = 10.0
"""Largest 99th percentile of the loop's lag of a valid run."""
MAX_UNDERRUN_SHARE = 0.02
"""Largest share of blocks that a card was given too late in a valid run."""

ONE_SESSION = "It was one session, and the interval covers no other."
"""What is said of an interval that does not know how sessions differ."""

_PATH = ["measurement", "sender", "receiver"]
_COUNTERS = ["concealed_frames", "played_frames", "card_underruns", "card_blocks"]
_JUDGED = (
    (ONE_WAY, ONE_WAY_TARGET_MS, "one-way latency"),
    (ROUND_TRIP, ROUND_TRIP_TARGET_MS, "round-trip latency"),
)


@once_per_record
def paths_table(record: LatencyRecord) -> pd.DataFrame:
    """Return a row per path, found once for each record.

    Returns
    -------
    DataFrame
        ``measurement``, ``sender``, ``receiver``, ``clicks``, ``sessions``, ``heard_share``;
        ``median_ms``, ``p95_ms`` and ``jitter_ms`` (RFC 5481 PDV), infinite where too many clicks
        were never heard, each with ``…_low`` and ``…_high`` of its 95 % interval;
        ``concealed_share`` of the frames due and ``underrun_share`` of the listener's blocks, over
        the same time.

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


def late_ms(clicks: pd.DataFrame) -> "pd.Series[float]":
    """Return how late clicks were; those that were never heard are infinitely late."""
    return clicks["latency_ms"].fillna(np.inf)


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _dropouts(
    streams: pd.DataFrame, measurement: str, sender: str, receiver: str
) -> dict[str, float]:
    """Add up what was not heard on a path: in a round trip both ways, while the receiver echoed."""
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
    """Return a row per path and session: what differs between sessions.

    Returns
    -------
    DataFrame
        ``measurement``, ``sender``, ``receiver``, ``session``, ``clicks``, ``heard``, and the
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
    """Return a quantile of a session's latencies: the one that so many are no later than."""
    return float(np.quantile(late_ms(clicks), share, method="inverted_cdf"))


def floor_ms(record: LatencyRecord, measurement: str = ONE_WAY) -> float:
    """Return the latency no network can beat, in milliseconds; of a round trip, twice one way's.

    See `jamlab.measure.latency.stages.floor_ms`.
    """
    quality = _quality(record)
    sending = _frame_frames(record) + quality.lookahead_frames
    one_way_ms = floor_of(sending, record.provenance["parameters"]["block_frames"])
    return (2 if measurement == ROUND_TRIP else 1) * one_way_ms


def aligned_blocks_ms(record: LatencyRecord) -> float:
    """Return what one way takes with whole blocks: the floor and the block that is captured.

    A frame that ends in the middle of a block waits for the block's end, and packets wait for the
    block that plays them. Where both are as long as blocks last, it is this.
    """
    block_frames = record.provenance["parameters"]["block_frames"]
    return floor_ms(record) + float(block_frames / SAMPLE_RATE * 1000)


def _quality(record: LatencyRecord) -> Quality:
    return quality_named(record.provenance["parameters"]["quality"])


def _frame_frames(record: LatencyRecord) -> int:
    """Return the length of the Opus frames."""
    return _quality(record).frame_for(record.provenance["parameters"]["peers"] - 1)


def waterfall(record: LatencyRecord) -> pd.DataFrame:
    """Return where the one-way time went, averaged over all clicks whose stages are known.

    Returns
    -------
    DataFrame
        ``stage`` and ``mean_ms``: the stages of `jamlab.measure.latency.stages`, then ``residual``.
        They add up to the mean latency of those clicks, which is the row ``measured``.

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
    """Judge the 95th percentile of every path, and the concealed sound; the worst path decides.

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
    """Judge the 95th percentile of the path on which it is highest.

    Parameters
    ----------
    record : LatencyRecord
        The run.
    measurement : str
        Which of its measurements is judged.
    limit_ms : float
        The 95th percentile has to be below it.
    called : str
        What the reader calls it, e.g. ``"one-way latency"``.
    """
    name = f"{called}, 95th percentile of the worst path"
    clicks = record.clicks[record.clicks["measurement"] == measurement]
    if clicks.empty:
        reason = f"This record has no {measurement.replace(' ', '-')} measurement."
        return unmeasured(name, Outcome.NOT_RUN, reason)
    invalid = list(_invalid(record, measurement))
    verdict = judge_below(name, limit_ms, _worst_p95(clicks), "ms", invalid)
    if invalid:
        return verdict
    said = (verdict.reason, *_unheard(clicks, verdict), *_one_session(clicks))
    return replace(verdict, reason=" ".join(said))


def _worst_p95(clicks: pd.DataFrame) -> Estimate:
    paths = [path for _, path in clicks.groupby(["sender", "receiver"], sort=False)]
    rng = resampling()
    return worst_of(
        [p95(late_ms(path), rng, sessions=path["session"], among=len(paths)) for path in paths]
    )


def _unheard(clicks: pd.DataFrame, verdict: Verdict) -> Iterator[str]:
    """Say it where clicks that were never heard make the figure, or its interval, infinite."""
    missed = {
        f"from {sender} to {receiver}": float(path["latency_ms"].isna().mean())
        for (sender, receiver), path in clicks.groupby(["sender", "receiver"], sort=False)
    }
    worst = max(missed, key=missed.__getitem__)
    if missed[worst] == 0 or np.isfinite(verdict.interval[1]):
        return
    words = f"{100 * missed[worst]:.3g} % of the clicks {worst} were never heard"
    if np.isinf(verdict.value):
        yield f"{words}, so the 95th percentile is infinite."
    else:
        yield f"{words}, and more may be among others."


def _one_session(clicks: pd.DataFrame) -> Iterator[str]:
    """Say what an interval does not cover where there was one session only."""
    if len(set(clicks["session"])) == 1:
        yield ONE_SESSION


def concealed_verdict(record: LatencyRecord, called: str = "concealed sound") -> Verdict:
    """Judge the share of sound that was concealed on the path on which it is highest.

    The bound is the plan's. What a machine did too late at either end may have been concealed at
    the other: as much is taken off the low end of the interval, so no path fails for it.

    Parameters
    ----------
    record : LatencyRecord
        The run.
    called : str
        What the reader calls it.
    """
    name = f"{called}, share of the worst path"
    if record.streams.empty:
        return unmeasured(name, Outcome.INCONCLUSIVE, f"There is no value of {name} to judge.")
    limit = record.provenance["parameters"]["max_concealed_percent"]
    invalid = list(_invalid(record))
    verdict = judge_below(name, limit, _worst_concealed(record), "%", invalid)
    if invalid:
        return verdict
    said = (verdict.reason, *_late(record.streams), *_one_session(record.streams))
    return replace(verdict, reason=" ".join(said))


def _worst_concealed(record: LatencyRecord) -> Estimate:
    """Estimate the highest share of all streams, in percent."""
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
    """Say what the machine left out: no path is judged by that, but it was silence, too."""
    late = max(_late_shares(streams).values(), default=0.0)
    if late > 0:
        share = plain(100 * late, "%")
        yield f"Beside it, {share} of a card's blocks came too late and were silent."


def _late_shares(streams: pd.DataFrame) -> dict[str, float]:
    """Return which share of its blocks everybody's card was given too late."""
    cards = streams.groupby("receiver")[["card_underruns", "card_blocks"]].sum()
    return dict(cards["card_underruns"] / cards["card_blocks"].clip(lower=1))


def _invalid(record: LatencyRecord, measurement: str | None = None) -> Iterator[str]:
    """Yield what spoils the run, in words that follow "because"."""
    lag_ms = record.provenance["loop_lag"]["p99_ms"]
    if lag_ms > MAX_LAG_MS:
        yield f"the loop was {lag_ms:.1f} ms late at its 99th percentile, over {MAX_LAG_MS:g} ms"
    streams = record.streams
    if measurement is not None:
        streams = streams[streams["measurement"] == measurement]
    late = max(_late_shares(streams).values(), default=0.0)
    if late > MAX_UNDERRUN_SHARE:
        most = 100 * MAX_UNDERRUN_SHARE
        yield f"{over(100 * late, '%', most)} of a card's blocks came too late, over {most:g} %"
    yield from wrong_routes(record.provenance)
