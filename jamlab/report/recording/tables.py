"""Tables of an analysed recording: head, verdicts, arrivals, delays and notes."""

import math
from collections.abc import Iterator
from html import escape

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

from jamlab.measure.digits import plain
from jamlab.measure.recording import delays
from jamlab.measure.recording.record import RecordingRecord
from jamlab.measure.recording.stopwatch import stopwatch
from jamlab.measure.recording.verdicts import recording_verdicts
from jamlab.report.page.opening import Head, head
from jamlab.report.page.tables import (
    date_of,
    fact,
    facts_table,
    judged_table,
    literal_html,
    styled_table,
)

_NO_TARGET = "No target was named: give one (<code>--target-ms</code>) to have every delay judged."


def masthead(record: RecordingRecord, title: str) -> Head:
    """Return the head of a page: title, files and date, overall verdict."""
    names = ", ".join(each["name"] for each in record.files)
    subject = f"{names} · analysed {date_of(record.provenance['created'])}"
    return head(title, subject, recording_verdicts(record))


def verdict_table(record: RecordingRecord) -> Styler | HTML:
    """Return a row per delay: verdict, figure, target and reason; a sentence without a target."""
    judged = recording_verdicts(record)
    return judged_table(judged) if judged else literal_html(f"<p>{_NO_TARGET}</p>")


def notes(record: RecordingRecord) -> HTML:
    """Return the notes on the files as a list; "" without any."""
    said = "".join(f"<li>{escape(each)}</li>" for each in record.provenance["notes"])
    return literal_html(f"<ul>{said}</ul>" if said else "")


def arrival_table(record: RecordingRecord) -> Styler:
    """Return a row per arrival: voice, channel, tempo, clicks, level and confidence."""
    rows = [
        {
            "Arrival": f"{row['arrival']}: {record.name(int(row['arrival']))}",
            "Voice": f"{row['voice']}",
            "Tempo": f"{row['bpm']:.4f} bpm",
            "Clicks": f"{row['heard']}",
            "Missed": f"{row['missed']}",
            "Level": plain(row["level_dbfs"], "dBFS"),
            "Confidence": f"{row['confidence']:.2f}",
            "Heard from": f"{row['first_s']:.2f} to {row['last_s']:.2f} s",
        }
        for row in record.arrivals.to_dict("records")
    ]
    return styled_table(pd.DataFrame(rows).map(escape), "arrivals")


def delay_table(record: RecordingRecord) -> Styler:
    """Return a row per two arrivals of one voice: median, 95th percentile, jitter, drops, skew."""
    rows = [
        {
            "From": f"{row['source']}: {row['from_name']}",
            "To": f"{row['to']}: {row['to_name']}",
            "Median": plain(row["median_ms"], "ms"),
            "95th percentile": plain(row["p95_ms"], "ms"),
            "Jitter": plain(row["jitter_ms"], "ms"),
            "Heard": f"{row['heard_share']:.1%} of {row['clicks']}",
            "Skew": "–" if math.isnan(row["skew_ppm"]) else f"{row['skew_ppm']:.1f} ppm",
            "Level": plain(row["level_db"], "dB"),
        }
        for row in delays.delay_table(record).to_dict("records")
    ]
    return styled_table(pd.DataFrame(rows).map(escape), "delays")


def stopwatch_table(record: RecordingRecord) -> Styler | HTML:
    """Return the figures of a stopwatch test; nothing for a record of none."""
    read = stopwatch(record)
    if read is None:
        return literal_html("")
    rows = [{"Stopwatch test": name, "": value} for name, value in read.facts().items()]
    return styled_table(pd.DataFrame(rows).map(escape), "stopwatch")


def provenance_table(record: RecordingRecord) -> Styler:
    """Return the description of each file, the parameters and the versions."""
    return facts_table(_facts(record))


def _facts(record: RecordingRecord) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for number, file in enumerate(record.files, 1):
        yield (
            f"file {number}",
            [
                ("name", file["name"]),
                ("format", file["format"]),
                ("length", f"{file['seconds']:.1f} s"),
                ("sample rate", f"{file['rate']} Hz"),
                ("channels", f"{file['channels']}"),
            ],
        )
    parameters = record.provenance["parameters"]
    given = [fact(name, value) for name, value in parameters.items() if value is not None]
    if given:
        yield "parameters", given
    yield "versions", [(name, str(version)) for name, version in _versions(record)]


def _versions(record: RecordingRecord) -> Iterator[tuple[str, object]]:
    yield from sorted(record.provenance["versions"].items())
