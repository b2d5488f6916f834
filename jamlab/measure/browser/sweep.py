"""A sweep: the same application without changes, with each lever alone, and with all together.

The application as it is comes first and last. Both runs are the base of all gains, and the
difference between them shows what differs without any change.
"""

import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from jamlab.measure.browser.levers import LEVERS
from jamlab.measure.browser.plan import SYSTEM, BrowserPlan
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.run import FAULTS, measure_browsers
from jamlab.measure.browser.verdicts import REST, invalid_because, latency_verdict, waterfall
from jamlab.measure.digits import measured
from jamlab.measure.latency.worst_path import worst_median, worst_p95
from jamlab.measure.processes import Progress
from jamlab.measure.record import RecordError
from jamlab.measure.statistics import CONFIDENCE, Estimate
from jamlab.measure.verdict import Outcome

UNCHANGED, TOGETHER, AGAIN = "as it is", "all together", "as it is, again"
SWEEP_FOLDER = "sweep"
"""Name of the folder of the variants, inside the record of the application as it is."""

_NO_CONTEXT = "does not apply: the page makes no AudioContext"


def variants(plan: BrowserPlan) -> dict[str, BrowserPlan]:
    """Return the plans of a sweep by their names: as it is, each lever alone, all, as it is again.

    Levers that change sound cards alone are left out inside the page.

    Examples
    --------
    >>> list(variants(BrowserPlan("https://example.org/")))[:3]
    ['as it is', 'ptime 10', 'stereo, 128 kb/s']
    """
    names = tuple(lever.name for lever in LEVERS if plan.audio == SYSTEM or not lever.system_only)
    return {
        UNCHANGED: plan,
        **{name: replace(plan, levers=(name,)) for name in names},
        TOGETHER: replace(plan, levers=names),
        AGAIN: plan,
    }


async def measure_sweep(
    plan: BrowserPlan, folder: Path, progress: Progress = lambda *_: None
) -> dict[str, BrowserRecord]:
    """Measure every variant, and write a record of each inside a folder; return them by name.

    Each is written as soon as it is measured. The application as it is comes first, and its faults
    end the sweep, as in `measure_browsers`. A lever that fails is left out, as is one that changes
    nothing in this application.
    """
    plans = variants(plan)
    shutil.rmtree(folder / SWEEP_FOLDER, ignore_errors=True)
    records = dict[str, BrowserRecord]()
    for number, (name, variant) in enumerate(plans.items()):
        progress(number / len(plans), name)
        if name in _without_effect(records):
            continue
        try:
            record = await measure_browsers(variant)
        except FAULTS as error:
            if name == UNCHANGED:
                raise
            records[UNCHANGED].provenance["remarks"].append(f"with {name}: {error}")
            records[UNCHANGED].save(folder)
            continue
        records[name] = record
        if name == UNCHANGED:
            record.save(folder)
        else:
            record.provenance["variant"] = name
            record.save(folder / SWEEP_FOLDER / f"{number:02}")
    return records


def load_sweep(folder: Path) -> dict[str, BrowserRecord]:
    """Return the records of a sweep by their names; raises `RecordError` for one that is broken."""
    records = {UNCHANGED: BrowserRecord.load(folder)}
    for each in sorted((folder / SWEEP_FOLDER).glob("[0-9][0-9]")):
        record = BrowserRecord.load(each)
        if "variant" not in record.provenance:
            raise RecordError(f"{each} is not part of a sweep: remove it")
        records[str(record.provenance["variant"])] = record
    return records


def _without_effect(records: Mapping[str, BrowserRecord]) -> set[str]:
    """Return the names of the levers that change nothing in the application, as far as is known."""
    if UNCHANGED not in records:
        return set()
    contexts = records[UNCHANGED].provenance.get("contexts")
    if not contexts or any(contexts.values()):
        return set()
    return {lever.name for lever in LEVERS if lever.context_only}


def sweep_table(records: Mapping[str, BrowserRecord]) -> pd.DataFrame:
    """Return a row per variant; all figures are those of its worst path.

    Columns: ``variant``; ``median_ms``, ``p95_ms`` and ``gain_ms``, each with ``…_low`` and
    ``…_high``; ``heard_share``, ``jitter_buffer_ms``, ``concealed_share``; ``change`` in words; and
    ``fault``, the reason why the variant does not count, or does not apply.

    ``gain_ms`` is of the median, against both runs of the application as it is; that of the second
    of them is against the first. Its ends are infinite where it has no interval, see `gain`.
    """
    base = _base(records)
    rows = [
        _row(name, record, records[UNCHANGED] if name == AGAIN else base)
        for name, record in records.items()
    ]
    lacking = sorted(_without_effect(records)) if len(records) > 1 else []
    rows += [{"variant": name, "fault": _NO_CONTEXT, "change": _CHANGES[name]} for name in lacking]
    return pd.DataFrame(rows)


_CHANGES = {lever.name: lever.change for lever in LEVERS}


def _row(name: str, record: BrowserRecord, base: BrowserRecord) -> dict[str, Any]:
    figures = {"median_ms": worst_median(record.clicks), "p95_ms": worst_p95(record.clicks)}
    figures["gain_ms"] = (
        Estimate(0.0, 0.0, 0.0, CONFIDENCE) if name == UNCHANGED else gain(base, record)
    )
    row: dict[str, Any] = {"variant": name}
    for column, found in figures.items():
        row |= {column: found.value, f"{column}_low": found.low, f"{column}_high": found.high}
    paths = record.clicks.groupby(["sender", "receiver"])["latency_ms"]
    sums = record.statistics[["concealed_frames", "received_frames"]].sum()
    return row | {
        "heard_share": float((paths.count() / paths.size()).min()),
        "jitter_buffer_ms": record.statistics["jitter_buffer_ms"].mean(),
        "concealed_share": sums["concealed_frames"] / max(sums["received_frames"], 1),
        "change": _change(name, record),
        "fault": _fault(record),
    }


def _change(name: str, record: BrowserRecord) -> str:
    """Return in words what was changed."""
    if name == TOGETHER:
        return "; ".join(record.provenance["parameters"].get("levers", ()))
    return _CHANGES.get(name, "")


def _fault(record: BrowserRecord) -> str:
    reasons = " and ".join(invalid_because(record))
    return f"does not count, because {reasons}" if reasons else ""


def _base(records: Mapping[str, BrowserRecord]) -> BrowserRecord:
    """Return the application as it is: all sessions of both runs, of those that count."""
    runs = [records[name] for name in (UNCHANGED, AGAIN) if name in records]
    runs = [each for each in runs if not _fault(each)] or runs[:1]
    first, last = runs[0], runs[-1]
    if first is last:
        return first
    after = int(first.clicks["session"].max()) + 1
    clicks, statistics = (
        pd.concat([table, more.assign(session=more["session"] + after)], ignore_index=True)
        for table, more in (
            (first.clicks, last.clicks),
            (first.statistics, last.statistics),
        )
    )
    error_ms = max(first.provenance["error_ms"], last.provenance["error_ms"])
    return BrowserRecord(statistics, clicks, first.provenance | {"error_ms": error_ms})


def gain(base: BrowserRecord, record: BrowserRecord) -> Estimate:
    """Estimate by how much the worst path's median is shorter than that of another record, in ms.

    The interval is that of a difference of two figures whose intervals cover further sessions (Zou
    and Donner's MOVER), and wider by the errors of both clocks. It is unbounded with fewer than two
    sessions of either, and where either does not count.
    """
    was, now = worst_median(base.clicks), worst_median(record.clicks)
    ends = was.low, was.high, now.low, now.high
    both = (base, record)
    unknown = any(each.clicks["session"].nunique() < 2 or _fault(each) for each in both)
    if unknown or not all(map(math.isfinite, (was.value, now.value, *ends))):
        value = was.value - now.value if math.isfinite(now.value) else -math.inf
        return Estimate(value, -math.inf, math.inf, CONFIDENCE)
    value = was.value - now.value
    error_ms = sum(each.provenance["error_ms"] for each in both)
    below = math.hypot(was.value - was.low, now.high - now.value) + error_ms
    above = math.hypot(was.high - was.value, now.value - now.low) + error_ms
    return Estimate(value, value - below, value + above, CONFIDENCE)


def gain_words(value: float, low: float, high: float) -> str:
    """Write a gain with its interval, and that it is not distinguishable from none where it is not.

    Examples
    --------
    >>> gain_words(12.0, 8.0, 15.0), gain_words(2.0, -9.0, 13.0)
    ('12 ms (8–15)', '2 ms (−9 to 13), not distinguishable')
    """
    if low == high:
        return "–"
    if not math.isfinite(value):
        return "unknown: too few clicks were heard"
    words = measured(value, low, high, "ms")
    return words if low > 0 or high < 0 else f"{words}, not distinguishable"


def advice(records: Mapping[str, BrowserRecord]) -> str:
    """Return in words what would meet the target, or the stage that makes it impossible.

    Nothing is said of runs that do not count, nor of gains whose interval holds none.
    """
    base = _base(records)
    if fault := _fault(base):
        return f"Nothing can be advised: the application as it is {fault}."
    target = f"the target of {base.provenance['parameters']['target_ms']:g} ms"
    if latency_verdict(base).verdict is Outcome.PASS:
        return f"The application meets {target} as it is."
    tried = {name: each for name, each in records.items() if name not in (UNCHANGED, AGAIN)}
    changed = {name: record for name, record in tried.items() if not _fault(record)}
    gains = {name: gain(base, record) for name, record in changed.items()}
    better = {name: changed[name] for name, each in gains.items() if each.low > 0}
    if meeting := _meeting(better, target):
        return meeting
    missed = [latency_verdict(record).verdict is Outcome.FAIL for record in tried.values()]
    surely = "" if missed and all(missed) else "surely "
    return f"No lever {surely}meets {target}. {_best(base, better)}"


def _meeting(better: Mapping[str, BrowserRecord], target: str) -> str:
    """Return what surely meets the target, of the variants that are surely better; "" if none."""
    verdicts = {name: latency_verdict(record) for name, record in better.items()}
    values = {name: each.value for name, each in verdicts.items() if each.verdict is Outcome.PASS}
    if alone := [name for name in values if name != TOGETHER]:
        name = min(alone, key=values.__getitem__)
        return f"“{name}” alone meets {target}: {_CHANGES[name]}."
    if values:
        reached = f"{values[TOGETHER]:.0f} ms at the 95th percentile"
        return f"All levers together meet {target}: {reached}."
    return ""


def _best(base: BrowserRecord, better: Mapping[str, BrowserRecord]) -> str:
    """Return the variant that gains most, and the longest stage that it leaves."""
    if not better:
        return (
            "No gain can be told from chance: more sessions (--sessions 3 or more) of a longer run "
            f"(--duration) would narrow the intervals. {_largest_stage(base)}"
        )
    gains = {name: gain(base, record) for name, record in better.items()}
    best = max(gains, key=lambda name: gains[name].value)
    ends = gains[best]
    gained = measured(ends.value, ends.low, ends.high, "ms")
    reached = worst_p95(better[best].clicks).value
    return (
        f"The best is “{best}”, which gains {gained} and reaches {reached:.0f} ms at the 95th "
        f"percentile. {_largest_stage(better[best])}"
    )


def _largest_stage(record: BrowserRecord) -> str:
    """Return the stages that are left in words, the longest first."""
    stages = waterfall(record).set_index("stage")["mean_ms"].drop("measured")
    if stages.isna().all() or not len(stages):
        return "No click was heard, so there are no stages."
    longest = stages.sort_values(ascending=False)
    name, length = str(longest.index[0]), float(longest.iloc[0])
    words = "which no call of a page shortens" if name == REST else "the longest stage"
    over = length > record.provenance["parameters"]["target_ms"]
    above = " It is above the target alone." if over else ""
    return f"What is left is mostly “{name}”, {length:.0f} ms, {words}.{above}"
