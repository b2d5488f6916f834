"""Tables of what measured latencies mean to an ensemble: pairs, groups, and the tempo."""

import math
from html import escape

import pandas as pd
from pandas.io.formats.style import Styler

from jamlab.measure.digits import between
from jamlab.measure.ensemble.groups import ensemble_groups, ensemble_pairs
from jamlab.measure.ensemble.latencies import EnsembleRecord
from jamlab.measure.ensemble.tempo import CHESTON, WING, tempo_outlook
from jamlab.measure.ensemble.words import ensemble_advice
from jamlab.report.page.tables import styled_table

_NOBODY = "nobody"


def pair_table(record: EnsembleRecord) -> Styler:
    """Return a row per pair, the latest first: the later of its directions, and its meaning."""
    rows = [
        {
            "Pair": f"{row['one']} and {row['other']}",
            "Later direction, one way": _interval(row["low_ms"], row["high_ms"]),
            "To musicians": row["meaning"],
        }
        for row in ensemble_pairs(record).to_dict("records")
    ]
    table = pd.DataFrame(rows, columns=["Pair", "Later direction, one way", "To musicians"])
    return styled_table(table.map(escape), "ensemble-pairs")


def group_table(record: EnsembleRecord) -> Styler:
    """Return a row per limit: the largest groups below it; the caption is the advice."""
    rows = [
        {
            "Every pair below": f"{row['limit_ms']:g} ms",
            "They can": row["meaning"],
            "Largest group, surely": _named(row["surely"]),
            "At most": "the same" if row["surely"] == row["possibly"] else _named(row["possibly"]),
            "Source": row["sources"],
        }
        for row in ensemble_groups(record).to_dict("records")
    ]
    table = styled_table(pd.DataFrame(rows).map(escape), "ensemble-groups")
    return table.set_caption(escape(ensemble_advice(record)))


def tempo_table(record: EnsembleRecord, bpm: float = 120.0) -> Styler:
    """Return the outlook: the change of the tempo, and each musician's distance to the mean."""
    outlook = tempo_outlook(record, bpm)
    columns = ["Figure", "Outlook"]
    if outlook is None:
        rows = [("Tempo", "not known: the latency of a path is missing")]
    else:
        low, high = outlook.slope_bpm_min
        rows = [(f"Tempo, from {bpm:g} bpm, in a minute", f"{between(low, high, 1)} bpm")]
        rows += [
            (f"{name} plays later than the mean by", f"{between(*ends, 1)} ms")
            for name, ends in outlook.late_ms.items()
        ]
    table = styled_table(pd.DataFrame(rows, columns=columns).map(escape), "tempo")
    sources = "; ".join(f"{each.cited}: {each.title}. {each.published}" for each in (CHESTON, WING))
    return table.set_caption(escape(f"A model, no measurement. {sources}."))


def _interval(low_ms: float, high_ms: float) -> str:
    if math.isinf(high_ms):
        return "not known" if low_ms == 0 else f"{low_ms:.1f} ms or more"
    return f"{between(low_ms, high_ms, 1)} ms"


def _named(groups: list[list[str]]) -> str:
    return " or ".join(", ".join(group) for group in groups) or _NOBODY
