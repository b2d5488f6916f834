"""What a latency record says: a row per path, the waterfall of stages, and the verdicts.

A run is *valid* when the loop that ran it kept its time, nearly all sound was heard and packets
went the way the run is about; a latency measured without those is a figure of something else. The
bounds below are generous on purpose: they catch a machine that was busy, not a path that is bad.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency import ONE_WAY, ROUND_TRIP
from jamlab.measure.record import LatencyRecord
from jamlab.measure.routes import wrong_routes
from jamlab.measure.stages import STAGES
from jamlab.measure.statistics import CONFIDENCE, Estimate, heard_share, jitter, median, p95
from jamlab.measure.verdict import GRAVITY, Verdict, judge_below
from jamlab.media.quality import quality_named

ONE_WAY_TARGET_MS = 50.0
"""Same network, one way."""
ROUND_TRIP_TARGET_MS = 100.0
"""There and back through the peer's card."""

MAX_LAG_MS = 10.0
"""Largest 99th percentile of the loop's lag of a valid run."""
MIN_HEARD_SHARE = 0.95
"""Least share of clicks heard in a valid run."""
MAX_DROPOUT_SHARE = 0.02
"""Largest share of sound concealed, or replaced by silence at the card, in a valid run."""

_PATH = ["measurement", "sender", "receiver"]
_COUNTERS = ["concealed_frames", "played_frames", "card_underruns", "card_blocks"]
_SEED = 20  # of the bootstrap: the same record gives the same report


def paths_table(record: LatencyRecord) -> pd.DataFrame:
    """Return a row per path.

    Returns
    -------
    DataFrame
        ``measurement``, ``sender``, ``receiver``, ``clicks``, ``heard_share``; ``median_ms``,
        ``p95_ms`` and ``jitter_ms`` (RFC 5481 PDV), each with ``…_low`` and ``…_high`` of its 95 %
        interval; ``concealed_share`` of the frames due and ``underrun_share`` of the listener's
        blocks, over the same time.
    """
    rows = [
        _path_row(path, clicks, record) for path, clicks in record.clicks.groupby(_PATH, sort=False)
    ]
    return pd.DataFrame(rows)


def _path_row(path: Any, clicks: pd.DataFrame, record: LatencyRecord) -> dict[str, Any]:
    measurement, sender, receiver = path
    rng = np.random.default_rng(_SEED)
    heard_ms = clicks["latency_ms"].dropna().to_numpy()
    share = heard_share(len(heard_ms), len(clicks))
    row = dict(zip(_PATH, path, strict=True))
    row |= {"clicks": len(clicks), "heard_share": share.value}
    for name, estimate in (("median", median), ("p95", p95), ("jitter", jitter)):
        row |= _columns(f"{name}_ms", estimate(heard_ms, rng))
    return row | _dropouts(record.streams, measurement, sender, receiver)


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _dropouts(
    streams: pd.DataFrame, measurement: str, sender: str, receiver: str
) -> dict[str, float]:
    """Add up what was not heard on a path: both directions of it in a round trip."""
    directions = [(sender, receiver)]
    if measurement == ROUND_TRIP:
        directions.append((receiver, sender))
    here = streams[streams["measurement"] == measurement].set_index(["sender", "receiver"])
    total: pd.Series[int] = here.loc[here.index.isin(directions), _COUNTERS].sum()
    due = total["concealed_frames"] + total["played_frames"]
    return {
        "concealed_share": total["concealed_frames"] / max(due, 1),
        "underrun_share": total["card_underruns"] / max(total["card_blocks"], 1),
    }


def floor_ms(record: LatencyRecord, measurement: str = ONE_WAY) -> float:
    """Return the latency no network can beat: frame, look-ahead and card blocks, in milliseconds.

    The blocks are one that is captured and one that is played; a round trip has all of it twice.
    """
    parameters = record.provenance["parameters"]
    quality = quality_named(parameters["quality"])
    frames = quality.frame_for(parameters["peers"] - 1) + quality.lookahead_frames
    frames += 2 * parameters["block_frames"]
    return float((2 if measurement == ROUND_TRIP else 1) * frames / SAMPLE_RATE * 1000)


def waterfall(record: LatencyRecord) -> pd.DataFrame:
    """Return where the one-way time went, averaged over all clicks whose stages are known.

    Returns
    -------
    DataFrame
        ``stage`` and ``mean_ms``: the stages of `jamlab.measure.stages`, then ``residual``. They
        add up to the mean latency of those clicks, which is the row ``measured``.
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
    """Judge the 95th percentile of every path; each measurement's verdict is its worst path's."""
    return [
        latency_verdict(record, ONE_WAY, ONE_WAY_TARGET_MS, "one-way latency"),
        latency_verdict(record, ROUND_TRIP, ROUND_TRIP_TARGET_MS, "round-trip latency"),
    ]


def latency_verdict(
    record: LatencyRecord, measurement: str, limit_ms: float, called: str
) -> Verdict:
    """Return the verdict no other path's is worse than, of the longest latency among equals.

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
    paths = paths_table(record)
    paths = paths[paths["measurement"] == measurement]
    name = f"{called}, 95th percentile of the worst path"
    invalid = list(_invalid(record, paths))
    estimates = (
        Estimate(path["p95_ms"], path["p95_ms_low"], path["p95_ms_high"], CONFIDENCE)
        for path in paths.to_dict("records")
    )
    judged = [judge_below(name, limit_ms, estimate, "ms", invalid) for estimate in estimates]
    return max(judged, key=lambda each: (GRAVITY[each.verdict], np.nan_to_num(each.value)))


def _invalid(record: LatencyRecord, paths: pd.DataFrame) -> Iterator[str]:
    """Yield what spoils the run, in words that follow "because"."""
    lag_ms = record.provenance["loop_lag"]["p99_ms"]
    if lag_ms > MAX_LAG_MS:
        yield f"the loop was {lag_ms:.1f} ms late at its 99th percentile, over {MAX_LAG_MS:g} ms"
    heard = paths["heard_share"].min()
    if heard < MIN_HEARD_SHARE:
        yield f"only {heard:.0%} of a path's clicks were heard, under {MIN_HEARD_SHARE:.0%}"
    for column, what in (("concealed_share", "concealed"), ("underrun_share", "card silence")):
        share = paths[column].max()
        if share > MAX_DROPOUT_SHARE:
            yield f"{share:.1%} of a path's sound was {what}, over {MAX_DROPOUT_SHARE:.0%}"
    yield from wrong_routes(record.provenance)
