"""Tables of a browser record: head, verdicts, paths, remarks and provenance."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from jamlab.measure.browser.plan import INJECTED, SYSTEM
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.sweep import gain_words
from jamlab.measure.browser.sweep import sweep_table as sweep
from jamlab.measure.browser.verdicts import paths_table, verdicts
from jamlab.measure.digits import measured, plain
from jamlab.report.page.opening import Head, head
from jamlab.report.page.tables import date_of, fact, facts_table, judged_table, styled_table

WAYS = {
    INJECTED: "inside the page, without sound cards",
    SYSTEM: "from mouth to ear, through the audio system",
}
"""The ways to measure, in words."""

_HOW = {
    INJECTED: (
        "**Inside the page**, the microphone that the application gets plays the clicks, and "
        "everything the page plays is recorded, from media elements and from audio contexts alike. "
        "Sound cards are not part of the figure: musicians hear the sound later by the capture at "
        "one end and the playout at the other.",
        "**Clocks.** The pages' clocks are read from here many times; their offset is bounded by "
        "the calls and their answers. The largest error is under *accuracy* below; it widens the "
        "interval of the verdict.",
    ),
    SYSTEM: (
        "**Through the audio system**, a private PipeWire graph has a microphone and a loudspeaker "
        "for each player, on one clock. The latency is from the click in the microphone, as the "
        "browser reads it, to the click in the loudspeaker, as the browser plays it. The rig's own "
        "delay is measured through wires first, and taken off; its spread, under *accuracy* below, "
        "widens the interval of the verdict.",
    ),
}
"""How the sound was given and heard, by the way of the audio, in points of a list."""

ERROR_WORDS = {
    INJECTED: "largest error of the clocks",
    SYSTEM: "spread of the rig's delay",
}
"""The error that all latencies have alike, by the way of the audio."""

_ASKED = ("echoCancellation", "noiseSuppression", "autoGainControl", "channelCount", "sampleRate")


def masthead(record: BrowserRecord, title: str) -> Head:
    """Return the head of a page: title, subject and date of the measurement, overall verdict."""
    return head(title, _subject(record.provenance), verdicts(record))


def verdict_table(record: BrowserRecord) -> Styler:
    """Return a row per target: verdict, figure, target, value and reason."""
    return judged_table(verdicts(record), "browser-verdicts")


def path_table(record: BrowserRecord) -> Styler:
    """Return a row per pair of players, the slowest first, with 95 % intervals."""
    paths = paths_table(record).sort_values("p95_ms", ascending=False, na_position="first")
    shown = pd.DataFrame(
        {
            "Path": paths["sender"] + " → " + paths["receiver"],
            "Heard": [
                f"{round(share * clicks)} of {clicks}"
                for share, clicks in zip(paths["heard_share"], paths["clicks"], strict=True)
            ],
            "Median": _intervals(paths, "median_ms"),
            "95th percentile": _intervals(paths, "p95_ms"),
            "Concealed": [
                "not stated" if math.isnan(share) else f"{share:.2%}"
                for share in paths["concealed_share"]
            ],
            "Sessions": paths["sessions"].astype(str),
        }
    )
    return styled_table(shown.map(escape), "browser-paths")


def sweep_table(records: Mapping[str, BrowserRecord]) -> Styler:
    """Return a row per variant of a sweep: its worst path, its gain, and the change to make."""
    table = sweep(records)
    gains = table[["gain_ms", "gain_ms_low", "gain_ms_high"]].to_numpy()
    shown = pd.DataFrame(
        {
            "Variant": table["variant"],
            "Heard": [_share(share, 0) for share in table["heard_share"]],
            "Median": _intervals(table, "median_ms"),
            "95th percentile": _intervals(table, "p95_ms"),
            "Gain of the median": [
                fault or gain_words(*gain)
                for fault, gain in zip(table["fault"], gains, strict=True)
            ],
            "Jitter buffer": [plain(value, "ms") for value in table["jitter_buffer_ms"]],
            "Concealed": [_share(share, 2) for share in table["concealed_share"]],
            "Change": table["change"],
        }
    )
    return styled_table(shown.map(escape), "sweep")


def _share(share: float, places: int) -> str:
    return "not measured" if math.isnan(share) else f"{share:.{places}%}"


def remarks_table(record: BrowserRecord) -> Styler:
    """Return the constraints that the pages set on the microphone, and the remarks on the run."""
    rows = [
        {"Player": player, "Remark": f"its page asked for {_asked_words(asked)}"}
        for player, asked in record.provenance.get("asked", {}).items()
    ]
    rows += [{"Player": "", "Remark": words} for words in record.provenance["remarks"]]
    return styled_table(pd.DataFrame(rows, columns=["Player", "Remark"]).map(escape), "remarks")


def _asked_words(asked: Sequence[Any]) -> str:
    """Return the constraints with which a page asked for its microphone, for the reader."""
    constraints = asked[-1] if asked else {}
    if not isinstance(constraints, Mapping):
        return "a microphone as the browser likes: echo cancellation, noise suppression, gain"
    said = [f"{name} {_value(constraints[name])}" for name in _ASKED if name in constraints]
    return f"a microphone with {', '.join(said)}" if said else "a microphone without constraints"


def _value(constraint: Any) -> str:
    if isinstance(constraint, Mapping):
        return ", ".join(f"{name} {value}" for name, value in constraint.items())
    return {True: "on", False: "off"}.get(constraint, str(constraint))


def how(record: BrowserRecord) -> str:
    """Return how the sound of a record was given and heard, as a list in Markdown."""
    return "\n".join(f"- {point}" for point in _HOW[record.provenance["parameters"]["audio"]])


def provenance_table(record: BrowserRecord) -> Styler:
    """Return the record's provenance: date, browser, accuracy, parameters and versions."""
    return facts_table(_provenance(record.provenance))


def _provenance(provenance: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield "created", [("date", date_of(provenance["created"]))]
    yield "browser", [fact(name, value) for name, value in provenance["browser"].items()]
    way = provenance["parameters"]["audio"]
    accuracy = {ERROR_WORDS[way]: provenance["error_ms"]}
    if way == SYSTEM:
        accuracy["delay of the rig, taken off"] = provenance["own_delay_ms"]
    accuracy["longest pause of a page's audio"] = provenance["pauses_ms"]
    yield "accuracy", [(name, plain(value, "ms")) for name, value in accuracy.items()]
    for group in ("parameters", "machine", "versions"):
        yield group, [fact(name, value) for name, value in provenance[group].items()]


def _subject(provenance: Mapping[str, Any]) -> str:
    parameters, browser = provenance["parameters"], provenance["browser"]
    return (
        f"{parameters['peers']} × {browser['name'].capitalize()} {browser['version']}, "
        f"{WAYS[parameters['audio']]} · measured {date_of(provenance['created'])} · "
        f"jamlab {provenance['versions']['jamlab']}"
    )


def _intervals(paths: pd.DataFrame, column: str) -> list[str]:
    estimates = paths[[column, f"{column}_low", f"{column}_high"]].to_numpy()
    return [measured(value, low, high, "ms") for value, low, high in estimates]
