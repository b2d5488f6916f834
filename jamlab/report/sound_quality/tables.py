"""Tables of a comparison of encodings: a row per encoding, and the provenance."""

import math
from collections.abc import Iterator
from html import escape
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.sound_quality.encodings import encodings_table
from jamlab.measure.sound_quality.record import SoundQualityRecord
from jamlab.report.page.tables import date_of, fact, facts_table, styled_table


def encoding_table(record: SoundQualityRecord) -> Styler:
    """Return a row per network and encoding; the range of its sessions is in brackets."""
    rows = [_row(row) for row in encodings_table(record).to_dict("records")]
    return styled_table(pd.DataFrame(rows).map(escape), "encodings")


def _row(row: dict[Any, Any]) -> dict[str, str]:
    return {
        "Network": row["network"],
        "Quality": row["quality"],
        "Frame": f"{1000 * row['frame_frames'] / SAMPLE_RATE:g} ms",
        "Opus": f"{row['payload_bps'] / 1000:.0f} kbit/s",
        "With headers": f"{row['wire_bps'] / 1000:.0f} kbit/s",
        "One way": _range(row, "latency_ms", 1, " ms"),
        "Concealed": _range(row, "concealed_share", 1, " %", 100),
        "SINAD": _range(row, "sinad_db", 1, " dB"),
        "Zimtohrli": _range(row, "zimtohrli", 2),
        "Frontier": "yes" if row["frontier"] else "",
    }


def _range(row: dict[Any, Any], name: str, places: int, unit: str = "", factor: float = 1) -> str:
    """Write a figure with the range of its sessions, where they differ."""
    value, low, high = (factor * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if math.isnan(value):
        return "not measured"
    words = f"{value:.{places}f}{unit}"
    ends = f"{low:.{places}f}", f"{high:.{places}f}"
    return words if ends[0] == ends[1] else f"{words} ({ends[0]}–{ends[1]})"


def provenance_table(record: SoundQualityRecord) -> Styler:
    """Return the record's provenance: date, parameters, machine and versions."""
    return facts_table(_provenance(record.provenance))


def _provenance(told: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield "created", [("date", date_of(told["created"]))]
    for group in ("parameters", "machine", "versions"):
        yield group, [fact(name, value) for name, value in told[group].items()]
