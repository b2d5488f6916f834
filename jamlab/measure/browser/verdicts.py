"""Paths, stages and verdicts of a browser record."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.latency.routes import wrong_routes
from jamlab.measure.latency.verdicts import MAX_LAG_MS
from jamlab.measure.latency.worst_path import late_ms, one_session, worst_path_verdict
from jamlab.measure.statistics import (
    Estimate,
    median,
    p95,
    proportion,
    resampling,
    share_of_sessions,
    worst_of,
)
from jamlab.measure.verdict import Outcome, Verdict, judge_below, unmeasured

STAGES = ("frame", "network", "jitter buffer", "playout")
"""Stages of a browser's path that ``getStats`` shows."""
REST = "rest"
"""The name of the remainder, of which nothing reports the parts."""

_PATH = ["sender", "receiver"]


def paths_table(record: BrowserRecord) -> pd.DataFrame:
    """Return a row per pair of players.

    Columns: ``sender``, ``receiver``, ``clicks``, ``sessions``, ``heard_share``, ``median_ms`` and
    ``p95_ms`` with ``…_low`` and ``…_high`` of their 95 % intervals, infinite where too many clicks
    were never heard, and ``concealed_share``, NaN where the browser did not state it.
    """
    concealed = _concealed_shares(record)
    rows = []
    for path, clicks in record.clicks.groupby(_PATH, sort=False):
        row = dict(zip(_PATH, path, strict=True))
        row |= {"clicks": len(clicks), "sessions": clicks["session"].nunique()}
        row["heard_share"] = proportion(int(clicks["latency_ms"].notna().sum()), len(clicks)).value
        for name, estimate in (("median_ms", median), ("p95_ms", p95)):
            found = estimate(late_ms(clicks), resampling(), sessions=clicks["session"])
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        rows.append(row | {"concealed_share": concealed.get(path, math.nan)})
    return pd.DataFrame(rows)


def _concealed_shares(record: BrowserRecord) -> dict[Any, float]:
    sums = record.statistics.groupby(_PATH)[["concealed_frames", "received_frames"]].sum()
    received = sums["received_frames"]
    return dict(sums["concealed_frames"] / received.where(received > 0))


def waterfall(record: BrowserRecord) -> pd.DataFrame:
    """Return the mean of each stage of the one-way latency, over all paths and seconds.

    Rows are `STAGES`, then `REST`; they add up to the mean latency of the clicks heard, in the row
    ``measured``. *frame* is the sender's packet, complete only at its end. *network* is half of the
    round trip, which is right only where both directions are alike. Inside the page, *playout* is
    not part of the path and is left out. The processing that a browser states is not added: in
    Chromium it is shorter than the jitter buffer, in which it overlaps.
    """
    means = record.statistics[
        ["frame_ms", "round_trip_ms", "jitter_buffer_ms", "playout_ms"]
    ].mean()
    means["round_trip_ms"] /= 2
    stages = dict(zip(STAGES, means, strict=True))
    if record.provenance["parameters"]["audio"] == "injected":
        del stages["playout"]
    measured = record.clicks["latency_ms"].mean()
    known = {name: value for name, value in stages.items() if not math.isnan(value)}
    rows = [*known.items(), (REST, measured - sum(known.values())), ("measured", measured)]
    return pd.DataFrame(rows, columns=["stage", "mean_ms"])


def verdicts(record: BrowserRecord) -> list[Verdict]:
    """Return the verdicts on the latency and on concealed sound; the worst path decides."""
    return [latency_verdict(record), concealed_verdict(record)]


def latency_verdict(
    record: BrowserRecord, called: str = "one-way latency between browsers"
) -> Verdict:
    """Return the verdict on the highest 95th percentile of the latency.

    `called` is the figure's name in the verdict. The error of the clocks is that of all clicks
    alike, so it widens the interval at both ends.
    """
    target_ms = record.provenance["parameters"]["target_ms"]
    return worst_path_verdict(
        record.clicks,
        f"{called}, 95th percentile of the worst path",
        target_ms,
        list(_invalid(record)),
        error_ms=record.provenance["error_ms"],
    )


def concealed_verdict(
    record: BrowserRecord, called: str = "concealed sound between browsers"
) -> Verdict:
    """Return the verdict on the highest share of concealed sound, a figure with a given name."""
    name = f"{called}, share of the worst path"
    limit = record.provenance["parameters"]["max_concealed_percent"]
    groups = record.statistics.groupby(_PATH)
    paths = [path for _, path in groups if path["received_frames"].sum() > 0]
    if not paths:
        reason = "The browsers did not state how much sound was concealed."
        return unmeasured(name, Outcome.INCONCLUSIVE, reason)
    judged = worst_of([_concealed(path, len(paths)) for path in paths])
    invalid = list(_invalid(record))
    verdict = judge_below(name, limit, judged, "%", invalid)
    if invalid:
        return verdict
    return replace(verdict, reason=" ".join((verdict.reason, *one_session(record.statistics))))


def _concealed(path: pd.DataFrame, among: int) -> Estimate:
    """Return the concealed share of a stream, in percent; packets count, not samples."""
    counted = path.groupby("session")[["concealed_frames", "received_frames"]].sum()
    packet = path["frame_ms"].median() * 48
    packet = 960.0 if math.isnan(packet) or packet <= 0 else packet
    share = share_of_sessions(
        counted["concealed_frames"] / packet, counted["received_frames"] / packet, among=among
    )
    return Estimate(100 * share.value, 100 * share.low, 100 * share.high, share.confidence)


def _invalid(record: BrowserRecord) -> Iterator[str]:
    """Yield each reason why the run is invalid, as words to follow "because"."""
    pauses_ms = record.provenance["pauses_ms"]
    if pauses_ms > MAX_LAG_MS:
        yield (
            f"the audio of a page stood still for {pauses_ms:.0f} ms (limit {MAX_LAG_MS:g} ms), "
            "which a busy machine does"
        )
    yield from wrong_routes(record.provenance)
