"""Tables of a report: the verdicts at its head, a row per path, and where it all came from.

They are styled where they stand, so that a notebook shows them as the page does. A colour never
says anything that a word does not say too.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from jamlab.measure.digits import measured
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.verdicts import MAX_LAG_MS, paths_table, sessions_table, verdicts
from jamlab.measure.sound_card.mouth_to_ear import mouth_to_ear_ms
from jamlab.measure.sound_card.mouth_to_ear import mouth_to_ear_table as mouth_to_ear
from jamlab.measure.sound_card.record import CardRecord
from jamlab.measure.statistics import Estimate
from jamlab.measure.verdict import Verdict
from jamlab.report.opening import Head, Told, badge, head

MOUTH_TO_EAR_WORDS = {
    "mesh": "Mesh, one way, median of the slowest path",
    "card": "Sound card: its loopback, an input and an output",
    "counted twice": "Card blocks that are in both",
    "relay": "Relay between the card's thread and the event loop",
    "mouth to ear": "Mouth to ear",
}
"""What a reader calls the terms of the sum."""
_LAG_WORDS = {"median_ms": "median", "p95_ms": "95th percentile", "p99_ms": "99th percentile"}


def masthead(record: LatencyRecord, title: str, card: CardRecord | None = None) -> Head:
    """Return the head of a page: title, what was measured and when, and the overall verdict."""
    heard = mouth_to_ear_ms(record, card)
    return head(title, _subject(record.provenance), verdicts(record), heard)


def verdict_table(record: LatencyRecord, card: CardRecord | None = None) -> Styler:
    """Return a row per target: verdict, what was measured, target, value and the reason."""
    return judged_table(verdicts(record), heard=mouth_to_ear_ms(record, card))


def judged_table(
    judged: Iterable[Verdict], name: str = "verdicts", heard: Estimate | None = None
) -> Styler:
    """Return a row per verdict, with what a latency means to musicians.

    The name tells the tables of a page apart; `heard` is the latency with sound cards, as of
    `Told.of`.
    """
    rows = [
        {
            "Verdict": badge(each.outcome),
            "What": escape(each.name),
            "Target": escape(each.target),
            "Measured": each.measured,
            "Why": escape(each.reason) + _to_musicians(each.musicians),
        }
        for each in (Told.of(verdict, heard) for verdict in judged)
    ]
    return styled_table(pd.DataFrame(rows), name)


def _to_musicians(words: str) -> str:
    return f'<p class="musicians">{escape(words)}</p>' if words else ""


def path_table(record: LatencyRecord) -> Styler:
    """Return a row per path, the slowest of each measurement first; intervals are of 95 %."""
    paths = paths_table(record).sort_values("p95_ms", ascending=False, na_position="first")
    paths = paths.sort_values("measurement", kind="stable")
    shown = pd.DataFrame(
        {
            "Measurement": paths["measurement"],
            "Path": paths["sender"] + " → " + paths["receiver"],
            "Heard": [
                _heard(*row) for row in zip(paths["heard_share"], paths["clicks"], strict=True)
            ],
            "Median": _intervals(paths, "median_ms"),
            "95th percentile": _intervals(paths, "p95_ms"),
            "Jitter": _intervals(paths, "jitter_ms"),
            "Concealed": [f"{share:.2%}" for share in paths["concealed_share"]],
            "Underruns": [f"{share:.2%}" for share in paths["underrun_share"]],
            "Sessions' own": _sessions(record, paths),
        }
    )
    return styled_table(shown.map(escape), "paths")


def mouth_to_ear_table(record: LatencyRecord, card: CardRecord | None = None) -> Styler:
    """Return the sum from the mouth to the ear, a row per term, each with its 95 % interval.

    What was not measured is said so, and the sum with it. The caption names the card.
    """
    rows = [
        {
            "Part": MOUTH_TO_EAR_WORDS[row["part"]],
            "Time": row["reason"] or measured(row["ms"], row["low"], row["high"], "ms"),
        }
        for row in mouth_to_ear(record, card).to_dict("records")
    ]
    table = styled_table(pd.DataFrame(rows).map(escape), "mouth-to-ear")
    if card is None:
        return table
    return table.set_caption(escape(_which(card, record.provenance["parameters"])))


def _which(card: CardRecord, parameters: dict[str, Any]) -> str:
    """Say which card it was, when it was measured, and how surely its clicks were heard."""
    said = f"The sound card: {card.name}, measured {date_of(card.provenance['created'])}"
    confidence = card.confidence(parameters["block_frames"])
    return said if math.isnan(confidence) else f"{said}, confidence {confidence:.2f}"


def provenance_table(record: LatencyRecord) -> Styler:
    """Return what the record says of its making: when, on what, with what, and the loop's lag."""
    return facts_table(_provenance(record.provenance))


def facts_table(groups: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> Styler:
    """Return a row per fact; each group's name stands at its first."""
    rows = [
        {"": "" if number else group, "What": name, "Value": value}
        for group, facts in groups
        for number, (name, value) in enumerate(facts)
    ]
    return styled_table(pd.DataFrame(rows).map(escape), "provenance")


def styled_table(table: pd.DataFrame, name: str) -> Styler:
    """Return a table without its index; the fixed name keeps the page the same each time."""
    styler = table.style.hide(axis="index").set_uuid(name)
    styler = styler.set_table_attributes(f'class="{name}"')
    return styler.set_table_styles(
        [{"selector": "th, td", "props": "text-align: left; vertical-align: top"}]
    )


def _subject(provenance: dict[str, Any]) -> str:
    parameters = provenance["parameters"]
    return (
        f"{parameters['peers']} players, {parameters['quality']} quality, card blocks of "
        f"{parameters['block_frames']} frames · measured {date_of(provenance['created'])} · "
        f"jamlab {provenance['versions']['jamlab']}"
    )


def date_of(created: str) -> str:
    """Write when a record was made, e.g. "2026-11-22 23:05 UTC"."""
    return f"{datetime.fromisoformat(created).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _heard(share: float, clicks: int) -> str:
    return f"{round(share * clicks)} of {clicks}"


def _intervals(paths: pd.DataFrame, column: str) -> list[str]:
    estimates = paths[[column, f"{column}_low", f"{column}_high"]].to_numpy()
    return [measured(value, low, high, "ms") for value, low, high in estimates]


def _sessions(record: LatencyRecord, paths: pd.DataFrame) -> list[str]:
    """Write how far each path's sessions are apart, in their medians and 95th percentiles."""
    keys = ["measurement", "sender", "receiver"]
    ranges = sessions_table(record).groupby(keys)[["median_ms", "p95_ms"]].agg(["min", "max"])
    cells = []
    for count, *path in paths[["sessions", *keys]].itertuples(index=False):
        low, high, p95_low, p95_high = ranges.loc[tuple(path)]
        words = f"{count}: median {low:.1f}–{high:.1f}, 95th {p95_low:.1f}–{p95_high:.1f} ms"
        cells.append("one" if count == 1 else words.replace("inf", "∞"))
    return cells


def _provenance(provenance: dict[str, Any]) -> Iterator[tuple[str, Sequence[tuple[str, str]]]]:
    """Yield each group of facts with its names and values."""
    yield "created", [("date", date_of(provenance["created"]))]
    lag = provenance["loop_lag"]
    shown = [(words, f"{lag[key]:.2f} ms") for key, words in _LAG_WORDS.items()]
    yield "loop lag", [*shown, ("bound of a valid run", f"99th percentile ≤ {MAX_LAG_MS:g} ms")]
    for group in ("parameters", "machine", "versions"):
        yield group, [fact(name, value) for name, value in provenance[group].items()]


def fact(name: str, value: Any) -> tuple[str, str]:
    """Write a fact for a reader: the unit that code has in a name stands behind the value."""
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    bare, _, unit = name.rpartition("_")
    if bare and unit in ("s", "frames"):
        return bare.replace("_", " "), f"{value:g} {unit}"
    return name.replace("_", " "), str(value)
