"""Paths and verdicts of a rig's record, and several records side by side.

What a program conceals is seen in the clicks: one that is missing, or *damaged*. A click is damaged
when its correlation with the one that was played is more than 5 % below the median of its path and
session: some 4 ms of its 39.5 ms are then gone, or something else. What every click of a path
suffers alike, such as a codec, is no damage.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from jamlab.measure.latency.verdicts import MAX_LAG_MS
from jamlab.measure.latency.worst_path import (
    late_ms,
    one_session,
    possible,
    worst_median,
    worst_p95,
    worst_path_verdict,
)
from jamlab.measure.rig.record import MOST_BUSY, RigRecord
from jamlab.measure.statistics import (
    Estimate,
    median,
    p95,
    proportion,
    resampling,
    share_of_sessions,
    worst_of,
)
from jamlab.measure.verdict import Outcome, Verdict, judge_below, overall

_PATH = ["sender", "receiver"]
_GROUP = ["session", *_PATH]
_UNDAMAGED = 0.95
"""Least confidence of a click that is whole, as a share of the median of its path and session."""


def is_damaged(clicks: pd.DataFrame) -> "pd.Series[bool]":
    """Return for each click whether it is missing or damaged."""
    heard = clicks["latency_ms"].notna()
    usual = clicks["confidence"].where(heard).groupby([clicks[name] for name in _GROUP])
    return ~heard | (clicks["confidence"] < _UNDAMAGED * usual.transform("median"))


def rig_paths(record: RigRecord) -> pd.DataFrame:
    """Return a row per ordered pair of players.

    Columns: ``sender``, ``receiver``, ``clicks``, ``sessions``, ``heard_share``, ``median_ms`` and
    ``p95_ms`` with ``…_low`` and ``…_high`` of their 95 % intervals, infinite where too many clicks
    were never heard, ``damaged_share`` of the clicks that are missing or damaged, and the median of
    their ``confidence``.
    """
    damaged = is_damaged(record.clicks)
    rows = []
    for path, clicks in record.clicks.groupby(_PATH, sort=False):
        row = dict(zip(_PATH, path, strict=True))
        row |= {"clicks": len(clicks), "sessions": clicks["session"].nunique()}
        row["heard_share"] = proportion(int(clicks["latency_ms"].notna().sum()), len(clicks)).value
        for name, estimate in (("median_ms", median), ("p95_ms", p95)):
            found = estimate(late_ms(clicks), resampling(), sessions=clicks["session"])
            row |= _columns(name, possible(found))
        row["damaged_share"] = float(damaged[clicks.index].mean())
        row["confidence"] = float(clicks["confidence"].where(clicks["latency_ms"].notna()).median())
        rows.append(row)
    return pd.DataFrame(rows)


def _columns(name: str, found: Estimate) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def rig_verdicts(record: RigRecord) -> list[Verdict]:
    """Return the verdicts on the latency and on damaged clicks; the worst path decides."""
    return [latency_verdict(record), damaged_verdict(record)]


def latency_verdict(record: RigRecord) -> Verdict:
    """Return the verdict on the highest 95th percentile of the latency from mouth to ear."""
    verdict = worst_path_verdict(
        record.clicks,
        f"one-way latency of {record.system} from mouth to ear, 95th percentile of the worst path",
        record.provenance["parameters"]["target_ms"],
        list(invalid_because(record)),
        error_ms=record.provenance["error_ms"],
    )
    missing = record.clicks["latency_ms"].isna().groupby([record.clicks[name] for name in _PATH])
    return _if_the_machine_s(record, verdict, int(missing.sum().max()))


def damaged_verdict(record: RigRecord) -> Verdict:
    """Return the verdict on the highest share of clicks that are missing or damaged."""
    limit = record.provenance["parameters"]["max_damaged_percent"]
    counted = _counted(record)
    paths = [path for _, path in counted.groupby(_PATH, sort=False)]
    shares = [
        share_of_sessions(path["damaged"], path["clicks"], among=len(paths)) for path in paths
    ]
    worst = worst_of(shares)
    percent = Estimate(100 * worst.value, 100 * worst.low, 100 * worst.high, worst.confidence)
    name = f"missing or damaged clicks of {record.system}, share of the worst path"
    invalid = list(invalid_because(record))
    verdict = judge_below(name, limit, percent, "%", invalid)
    if invalid:
        return verdict
    verdict = _if_the_machine_s(record, verdict, int(counted.groupby(_PATH)["damaged"].sum().max()))
    return replace(verdict, reason=" ".join((verdict.reason, *one_session(record.clicks))))


def _counted(record: RigRecord) -> pd.DataFrame:
    """Return the numbers of clicks and of damaged ones, a row per path and session."""
    clicks = record.clicks.assign(damaged=is_damaged(record.clicks))
    counted = clicks.groupby(_GROUP, sort=False)["damaged"].agg(["sum", "size"]).reset_index()
    return counted.rename(columns={"sum": "damaged", "size": "clicks"})


def _if_the_machine_s(record: RigRecord, verdict: Verdict, clicks: int) -> Verdict:
    """Return a verdict that blames no program for what the machine may have done to some clicks."""
    blamed = " and ".join(_blamed(record, clicks))
    if verdict.verdict is not Outcome.FAIL or not blamed:
        return verdict
    reason = (
        f"{verdict.reason} {blamed[0].upper()}{blamed[1:]}, which may have done it: measure when "
        "the machine is not busy, or with a longer --period."
    )
    return replace(verdict, verdict=Outcome.INCONCLUSIVE, reason=reason)


def _blamed(record: RigRecord, clicks: int) -> Iterator[str]:
    """Yield what of the machine may have cost some clicks, in words."""
    columns = ["missed_cycles", "late_cycles", "xruns"]
    disturbed = int(record.punctuality[columns].to_numpy().sum())
    if 0 < clicks <= disturbed:
        yield f"the machine did not keep the audio graph's time in {disturbed} cycles"
    busy = float(record.punctuality["busy_share"].max())
    if busy > MOST_BUSY:
        yield f"the machine's processors were up to {busy:.0%} busy"


def invalid_because(record: RigRecord) -> Iterator[str]:
    """Yield each reason why the run is invalid, as words to follow "because"."""
    late_ms = float(record.punctuality["worst_lateness_ms"].max())
    if late_ms > MAX_LAG_MS:
        yield (
            f"the audio graph was up to {late_ms:.0f} ms late (limit {MAX_LAG_MS:g} ms), which a "
            "busy machine is"
        )


def side_by_side(records: Sequence[RigRecord]) -> pd.DataFrame:
    """Return a row per system, the quickest first; all figures are those of its worst path.

    Columns: ``system``, ``median_ms`` and ``p95_ms`` with ``…_low`` and ``…_high``,
    ``heard_share``, ``damaged_share``, ``period_frames``, and ``outcome``, its overall verdict.
    """
    rows = pd.DataFrame([_system_row(record) for record in records])
    return rows.sort_values("median_ms", kind="stable", ignore_index=True)


def _system_row(record: RigRecord) -> dict[str, Any]:
    paths = record.clicks.groupby(_PATH)["latency_ms"]
    damaged = _counted(record).groupby(_PATH)[["damaged", "clicks"]].sum()
    return {
        "system": record.system,
        **_columns("median_ms", worst_median(record.clicks)),
        **_columns("p95_ms", worst_p95(record.clicks)),
        "heard_share": float((paths.count() / paths.size()).min()),
        "damaged_share": float((damaged["damaged"] / damaged["clicks"]).max()),
        "period_frames": record.provenance["parameters"]["period_frames"],
        "outcome": str(overall(rig_verdicts(record))),
    }
