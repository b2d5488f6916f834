"""Tables of playout buffers: head, verdicts, every buffer's figures, bounds, provenance."""

import math
from collections.abc import Iterator
from html import escape

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from jamlab.measure.digits import plain
from jamlab.measure.playout.record import (
    BEST_CONSTANT,
    BEST_PER_SECOND,
    BEST_SPLICED,
    BUFFERS,
    CONSTANT,
    PlayoutRecord,
)
from jamlab.measure.playout.verdicts import delay_at, playout_verdicts
from jamlab.report.page.opening import Head, head
from jamlab.report.page.tables import date_of, fact, facts_table, judged_table, styled_table

_NONE = "–"


def masthead(record: PlayoutRecord, title: str) -> Head:
    """Return the head of a page: title, what was played and when, overall verdict."""
    subject = f"{', '.join(record.traces)}, played {date_of(record.provenance['created'])}"
    return head(title, subject, playout_verdicts(record))


def verdict_table(record: PlayoutRecord) -> Styler:
    """Return a row per target: verdict, figure, target, value and reason."""
    return judged_table(playout_verdicts(record), "playout-verdicts")


def playout_table(record: PlayoutRecord) -> Styler:
    """Return a row per trace and buffer with its authors' setting, jamlab's with each share."""
    shown = record.playbacks[record.playbacks["as_shipped"]]
    rows = [
        {
            "Trace": row["trace"],
            "Buffer": row["buffer"],
            "Setting": row["setting"] or _NONE,
            "Mean delay": plain(row["delay_ms"], "ms"),
            "Concealed": _percent(row["concealed_share"]),
            "Worst two minutes": _percent(row["worst_share"]),
        }
        for row in shown.to_dict("records")
    ]
    return styled_table(pd.DataFrame(rows).map(escape), "playbacks")


def accepted_table(record: PlayoutRecord, *percents: float) -> Styler:
    """Return the delays at which each buffer conceals no more than a share, a column per trace.

    The buffers' curves are interpolated, see `jamlab.measure.playout.verdicts.delay_at`; so are
    the bounds', between the shares of the record. Without percents, the record's are taken.
    """
    rows = [
        {"Accepted": f"{percent:.3g} %", "Buffer": name}
        | {trace: _at(points[points["trace"] == trace], percent / 100) for trace in record.traces}
        for percent in percents or [100 * share for share in record.accepted_shares]
        for name, points in _curves(record)
    ]
    return styled_table(pd.DataFrame(rows).map(escape).rename(columns=escape), "accepted")


def _curves(record: PlayoutRecord) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the points of each buffer and bound."""
    for name in BUFFERS:
        points = record.playbacks[record.playbacks["buffer"] == name]
        yield BEST_CONSTANT if name == CONSTANT else name, points
    for name in (BEST_PER_SECOND, BEST_SPLICED):
        rows = record.bounds[record.bounds["bound"] == name]
        if len(rows):
            yield (
                name,
                rows.assign(delay_ms=rows["least_ms"], concealed_share=rows["accepted_share"]),
            )


def _at(rows: pd.DataFrame, share: float) -> str:
    delay_ms = delay_at(rows, share) if len(rows) else math.inf
    return plain(delay_ms, "ms") if np.isfinite(delay_ms) else _NONE


def stream_table(record: PlayoutRecord) -> Styler:
    """Return a row per trace: its length, losses, and the least delay that any packet needed."""
    rows = [
        {
            "Trace": row["trace"],
            "Length": f"{row['duration_s']:.0f} s",
            "Packets": f"{row['packets']:,}",
            "Lost": _percent(row["lost_share"]),
            "Floor": plain(row["floor_ms"], "ms"),
        }
        for row in record.streams.to_dict("records")
    ]
    return styled_table(pd.DataFrame(rows).map(escape), "streams")


def provenance_table(record: PlayoutRecord) -> Styler:
    """Return the provenance: date, parameters and versions."""
    return facts_table(_facts(record))


def _facts(record: PlayoutRecord) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    told = record.provenance
    yield "created", [("date", date_of(told["created"]))]
    given = {name: value for name, value in told["parameters"].items() if value is not None}
    yield "parameters", [fact(name, value) for name, value in given.items()]
    if told["notes"]:
        yield "notes", [("", str(note)) for note in told["notes"]]
    yield "versions", [fact(name, value) for name, value in told["versions"].items()]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
