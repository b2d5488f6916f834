"""A sweep: the same application without changes, with each lever alone, and with all together."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from jamlab.measure.browser.levers import LEVERS
from jamlab.measure.browser.plan import SYSTEM, BrowserPlan
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.run import FAULTS, measure_browsers
from jamlab.measure.browser.verdicts import REST, waterfall
from jamlab.measure.latency.worst_path import worst_p95
from jamlab.measure.processes import Progress
from jamlab.measure.record import RecordError

UNCHANGED, TOGETHER = "as it is", "all together"
SWEEP_FOLDER = "sweep"
"""Name of the folder of the variants, inside the record of the application as it is."""


def variants(plan: BrowserPlan) -> dict[str, BrowserPlan]:
    """Return the plans of a sweep by their names: as it is, each lever alone, all together.

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
    }


async def measure_sweep(
    plan: BrowserPlan, folder: Path, progress: Progress = lambda *_: None
) -> dict[str, BrowserRecord]:
    """Measure every variant, and write a record of each inside a folder; return them by name.

    The application as it is comes first, and its faults end the sweep, as in `measure_browsers`. A
    lever that fails is left out.
    """
    plans = variants(plan)
    shutil.rmtree(folder / SWEEP_FOLDER, ignore_errors=True)
    records = dict[str, BrowserRecord]()
    for number, (name, variant) in enumerate(plans.items()):
        progress(number / len(plans), name)
        try:
            record = await measure_browsers(variant)
        except FAULTS as error:
            if name == UNCHANGED:
                raise
            records[UNCHANGED].provenance["remarks"].append(f"with {name}: {error}")
            continue
        records[name] = record
        if name != UNCHANGED:
            record.provenance["variant"] = name
            record.save(folder / SWEEP_FOLDER / f"{number:02}")
    records[UNCHANGED].save(folder)
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


def sweep_table(records: Mapping[str, BrowserRecord]) -> pd.DataFrame:
    """Return a row per variant.

    Columns: ``variant``, ``median_ms``, ``p95_ms`` with ``p95_ms_low`` and ``p95_ms_high`` of the
    worst path, ``gain_ms`` of the median against the application as it is, ``jitter_buffer_ms``,
    ``concealed_share``, and ``change`` in words.
    """
    changes = {lever.name: lever.change for lever in LEVERS}
    base_ms = records[UNCHANGED].clicks["latency_ms"].median()
    rows = []
    for name, record in records.items():
        p95 = worst_p95(record.clicks)
        sums = record.statistics[["concealed_frames", "received_frames"]].sum()
        middle_ms = record.clicks["latency_ms"].median()
        rows.append(
            {
                "variant": name,
                "median_ms": middle_ms,
                "p95_ms": p95.value,
                "p95_ms_low": p95.low,
                "p95_ms_high": p95.high,
                "gain_ms": base_ms - middle_ms,
                "jitter_buffer_ms": record.statistics["jitter_buffer_ms"].mean(),
                "concealed_share": sums["concealed_frames"] / max(sums["received_frames"], 1),
                "change": changes.get(name, ""),
            }
        )
    return pd.DataFrame(rows)


def advice(records: Mapping[str, BrowserRecord]) -> str:
    """Return in words what would meet the target, or the stage that makes it impossible."""
    target_ms: float = records[UNCHANGED].provenance["parameters"]["target_ms"]
    estimates = {name: worst_p95(record.clicks) for name, record in records.items()}
    meeting = [name for name, estimate in estimates.items() if estimate.high < target_ms]
    best = min(estimates, key=lambda name: estimates[name].value)
    reached = f"{estimates[best].value:.0f} ms at the 95th percentile"
    target = f"the target of {target_ms:g} ms"
    if UNCHANGED in meeting:
        return f"The application meets {target} as it is."
    if alone := [name for name in meeting if name != TOGETHER]:
        name = min(alone, key=lambda name: estimates[name].value)
        change = next(lever.change for lever in LEVERS if lever.name == name)
        return f"“{name}” alone meets {target}: {change}."
    if meeting:
        return f"All levers together meet {target}: {reached}."
    return (
        f"No lever meets {target}; the best is “{best}”, with {reached}. "
        f"{_largest_stage(records[best], target_ms)}"
    )


def _largest_stage(record: BrowserRecord, target_ms: float) -> str:
    """Return the stages that are left in words, the longest first."""
    stages = waterfall(record).set_index("stage")["mean_ms"].drop("measured")
    if stages.isna().all() or not len(stages):
        return "No click was heard, so there are no stages."
    longest = stages.sort_values(ascending=False)
    name, length = str(longest.index[0]), float(longest.iloc[0])
    words = "which no call of a page shortens" if name == REST else "the longest stage"
    above = " It is above the target alone." if length > target_ms else ""
    return f"What is left is mostly “{name}”, {length:.0f} ms, {words}.{above}"
