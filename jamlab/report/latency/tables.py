"""Tables of a latency record: head, verdicts, paths, mouth to ear, and provenance.

Styles are inline, so that a notebook shows the tables as the page does.
"""

import math
from collections.abc import Iterator, Sequence
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
from jamlab.report.page.opening import Head, head
from jamlab.report.page.tables import date_of, fact, facts_table, judged_table, styled_table

MOUTH_TO_EAR_WORDS = {
    "mesh": "Mesh, one way, median of the slowest path",
    "card": "Sound card: its loopback, an input and an output",
    "counted twice": "Card blocks that are in both figures",
    "bridge": "Bridge between the card's thread and the event loop",
    "mouth to ear": "Mouth to ear",
}
"""Names of the terms of the sum for the reader."""


_LAG_WORDS = {"median_ms": "median", "p95_ms": "95th percentile", "p99_ms": "99th percentile"}


def masthead(record: LatencyRecord, title: str, card: CardRecord | None = None) -> Head:
    """Return the head of a page: title, subject and date of the measurement, overall verdict."""
    heard = mouth_to_ear_ms(record, card)
    return head(title, _subject(record.provenance), verdicts(record), heard)


def verdict_table(record: LatencyRecord, card: CardRecord | None = None) -> Styler:
    """Return a row per target: verdict, figure, target, value and reason."""
    return judged_table(verdicts(record), heard=mouth_to_ear_ms(record, card))


def path_table(record: LatencyRecord) -> Styler:
    """Return a row per path, the slowest of each measurement first, with 95 % intervals."""
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
            "Range over sessions": _sessions(record, paths),
        }
    )
    return styled_table(shown.map(escape), "paths")


def mouth_to_ear_table(record: LatencyRecord, card: CardRecord | None = None) -> Styler:
    """Return the sum from mouth to ear, a row per term, each with its 95 % interval.

    A term that was not measured is marked as such, and so is the sum. The caption names the card.
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
    """Return the card's name, the date of its measurement, and the confidence of its clicks."""
    said = f"The sound card: {card.name}, measured {date_of(card.provenance['created'])}"
    confidence = card.confidence(parameters["block_frames"])
    return said if math.isnan(confidence) else f"{said}, confidence {confidence:.2f}"


def provenance_table(record: LatencyRecord) -> Styler:
    """Return the record's provenance: date, machine, versions, parameters and loop lag."""
    return facts_table(_provenance(record.provenance))


def _subject(provenance: dict[str, Any]) -> str:
    parameters = provenance["parameters"]
    return (
        f"{parameters['peers']} participants, {parameters['quality']} quality, card blocks of "
        f"{parameters['block_frames']} frames · measured {date_of(provenance['created'])} · "
        f"jamlab {provenance['versions']['jamlab']}"
    )


def _heard(share: float, clicks: int) -> str:
    return f"{round(share * clicks)} of {clicks}"


def _intervals(paths: pd.DataFrame, column: str) -> list[str]:
    estimates = paths[[column, f"{column}_low", f"{column}_high"]].to_numpy()
    return [measured(value, low, high, "ms") for value, low, high in estimates]


def _sessions(record: LatencyRecord, paths: pd.DataFrame) -> list[str]:
    """Write the range of each path's sessions, in their medians and 95th percentiles."""
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
    yield "loop lag", [*shown, ("limit of a valid run", f"99th percentile ≤ {MAX_LAG_MS:g} ms")]
    for group in ("parameters", "machine", "versions"):
        yield group, [fact(name, value) for name, value in provenance[group].items()]
