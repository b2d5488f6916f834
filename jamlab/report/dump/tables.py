"""Tables of a dump: head, verdicts, connections, streams, stages and the timeline of ICE."""

import math
import re
from collections.abc import Hashable, Iterator, Mapping
from html import escape

import numpy as np
import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

from jamlab.measure.digits import duration, plain
from jamlab.measure.dump.dump import Dump
from jamlab.measure.dump.verdicts import dump_verdicts
from jamlab.report.dump.streams import connection_numbers, numbered_streams
from jamlab.report.page.opening import Head, head
from jamlab.report.page.tables import facts_table, judged_table, literal_html, styled_table

MOST_ROWS = 200
"""The most rows of the timeline of ICE; the dump's own table has all."""

MOST_CHARS = 2000
"""The most characters of a configuration that are shown."""

_BROWSER = re.compile(r"(Firefox|Edg|OPR|Chrome|Version)/(\d+)")
_CALLED = {"Edg": "Edge", "OPR": "Opera", "Version": "Safari"}
_UNKNOWN = "–"


def masthead(dump: Dump, title: str) -> Head:
    """Return the head of a page: title, subject and date of the dump, overall verdict."""
    return head(title, _subject(dump), dump_verdicts(dump))


def verdict_table(dump: Dump) -> Styler:
    """Return a row per target: verdict, figure, target, value and reason."""
    return judged_table(dump_verdicts(dump))


def notes(dump: Dump) -> HTML:
    """Return the notes on the dump as a list; "" without any."""
    said = "".join(f"<li>{escape(each)}</li>" for each in dump.notes)
    return literal_html(f"<ul>{said}</ul>" if said else "")


def connection_table(dump: Dump) -> Styler:
    """Return a row per connection: states, time to connect, route and pair."""
    rows = [
        {
            "Connection": f"{number}: {about['connection']}",
            "State": about["connection_state"] or about["ice_state"] or _UNKNOWN,
            "Connected": "yes" if about["connected"] else "no",
            "Time to connect": _took(about),
            "Route": about["route"] or _UNKNOWN,
            "Pair in the end": about["pair"] or _UNKNOWN,
            "Other pairs before": str(about["pair_changes"]),
        }
        for number, about in enumerate(dump.connections.to_dict("records"), start=1)
    ]
    return styled_table(pd.DataFrame(rows).map(escape), "connections")


def stream_table(dump: Dump) -> Styler:
    """Return a row per audio stream: codec, packets, losses, concealed sound, bitrate."""
    numbers = connection_numbers(dump)
    rows = [
        {
            "Stream": f"{number}: {key[2]}",
            "Connection": f"{numbers.get(key[0], _UNKNOWN)}, {key[1]}",
            "Codec": _codec(rows["codec"].iloc[-1]),
            "Seconds": f"{rows['interval_s'].sum():.0f}",
            "Packets": _count(rows["packets"]),
            "Lost": _count(rows["packets_lost"]),
            "Concealed": _share(rows["concealed_samples"].sum(), rows["samples"].sum()),
            "Jitter": _middle(rows["jitter_ms"], "ms"),
            "Round trip": _middle(rows["round_trip_ms"], "ms"),
            "Bitrate": _middle(rows["bitrate_bps"] / 1000, "kbit/s"),
        }
        for number, key, rows in numbered_streams(dump)
    ]
    return styled_table(pd.DataFrame(rows).map(escape), "streams")


def stage_table(dump: Dump) -> Styler:
    """Return a row per inbound stream and stage: median and 95th percentile of its seconds."""
    numbers = {(key[0], key[2]): number for number, key, _ in numbered_streams(dump)}
    rows = [
        {
            "Stream": str(numbers[row["connection"], row["stream"]]),
            "Stage": row["stage"],
            "Median": _at_most(row["stage"], row["median_ms"]),
            "95th percentile": _at_most(row["stage"], row["p95_ms"]),
            "Seconds": str(row["seconds"]),
            "Is": row["note"],
        }
        for row in dump.stage_summary.to_dict("records")
    ]
    return styled_table(pd.DataFrame(rows).map(escape), "stages")


def ice_table(dump: Dump) -> Styler:
    """Return the timeline of ICE, its first rows where it is long."""
    numbers = connection_numbers(dump)
    shown = dump.ice.head(MOST_ROWS)
    table = pd.DataFrame(
        {
            "Connection": [str(numbers.get(name, _UNKNOWN)) for name in shown["connection"]],
            "Second": [f"{at_s:.3f}" if at_s == at_s else _UNKNOWN for at_s in shown["time_s"]],
            "Event": shown["event"],
            "Detail": shown["detail"],
            "Route": shown["route"],
        }
    )
    styled = styled_table(table.map(escape), "ice")
    left = len(dump.ice) - len(shown)
    return styled.set_caption(f"{left} more rows are in the dump's table") if left else styled


def provenance_table(dump: Dump) -> Styler:
    """Return what the dump says of itself: file, layout, browser, start, pages, configurations."""
    return facts_table(_provenance(dump))


def _provenance(dump: Dump) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    facts = [("file", dump.path.name), ("layout", dump.layout), ("start", _start(dump))]
    yield "dump", facts
    yield "browser", [("user agent", dump.browser or _UNKNOWN)]
    for number, about in enumerate(dump.connections.to_dict("records"), start=1):
        yield (
            f"connection {number}",
            [
                ("page", about["url"] or _UNKNOWN),
                ("configuration", about["configuration"][:MOST_CHARS]),
            ],
        )


def _subject(dump: Dump) -> str:
    count = len(dump.connections)
    connections = f"{count} connection{'' if count == 1 else 's'}"
    return (
        f"{browser_words(dump.browser)} · {connections} · {dump.layout} · recorded {_start(dump)}"
    )


def browser_words(agent: str) -> str:
    """Return name and version of a browser from its user agent, e.g. "Chrome 135"."""
    found = dict(_BROWSER.findall(agent))
    for name in ("Edg", "OPR", "Firefox", "Chrome", "Version"):
        if name in found:
            return f"{_CALLED.get(name, name)} {found[name]}"
    return "unknown browser"


def _start(dump: Dump) -> str:
    if isinstance(dump.start, pd.Timestamp):
        return f"{dump.start:%Y-%m-%d %H:%M} UTC"
    return "at an unknown time"


def _took(about: Mapping[Hashable, float]) -> str:
    low, high = about["time_to_connect_low_s"], about["time_to_connect_high_s"]
    return _UNKNOWN if math.isnan(high) else duration(low, high)


def _codec(words: str) -> str:
    """Return the name of a codec without its parameters, which would make the table too wide."""
    return words.partition(" ")[0].removeprefix("audio/") or _UNKNOWN


def _count(values: "pd.Series[float]") -> str:
    return f"{values.sum():.0f}" if values.notna().any() else _UNKNOWN


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.2%}" if whole > 0 else _UNKNOWN


def _middle(values: "pd.Series[float]", unit: str) -> str:
    known = values.dropna()
    return plain(float(np.median(known)), unit) if len(known) else _UNKNOWN


def _at_most(stage: str, value_ms: float) -> str:
    if math.isnan(value_ms):
        return _UNKNOWN
    return f"0 to {plain(value_ms, 'ms')}" if stage == "network" else plain(value_ms, "ms")
