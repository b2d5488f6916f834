"""Tables and figure of browsers across networks: verdicts, a row per case, stages, links."""

from collections.abc import Iterator
from html import escape
from itertools import combinations

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

from jamlab.measure.across_networks.simulated import ACROSS_TARGET_MS
from jamlab.measure.browser.verdicts import STAGES, paths_table
from jamlab.measure.browser.verdicts import waterfall as waterfall_table
from jamlab.measure.browser_networks.record import BrowserNetworkRecord
from jamlab.measure.browser_networks.verdicts import browser_networks_verdicts
from jamlab.measure.digits import measured, plain
from jamlab.measure.latency.routes import taken
from jamlab.report.across_networks import kernel_links
from jamlab.report.across_networks.tables import network_columns, profile_of
from jamlab.report.page.figures import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    SKY,
    VERMILLION,
    ReportFigure,
    legend,
    styled,
)
from jamlab.report.page.opening import Head, head
from jamlab.report.page.tables import (
    date_of,
    fact,
    facts_table,
    judged_table,
    literal_html,
    styled_table,
)

_PARTS = (
    ("Opus frame", "frame", BLUE),
    ("network: half of the round trip", "network", ORANGE),
    ("jitter buffer", "jitter buffer", SKY),
)
_REST = "rest: capture, encoding, decoding, mixing"


def masthead(records: dict[str, BrowserNetworkRecord], title: str) -> Head:
    """Return the head of a page: title, subject and date of the measurement, overall verdict."""
    provenance = next(iter(records.values())).provenance
    parameters, browser = provenance["parameters"], provenance["browser"]
    subject = (
        f"{parameters['peers']} × {browser['name'].capitalize()} {browser['version']} on the "
        f"kernel's network, each behind a router · measured {date_of(provenance['created'])} · "
        f"jamlab {provenance['versions']['jamlab']}"
    )
    return head(title, subject, browser_networks_verdicts(records))


def verdict_table(records: dict[str, BrowserNetworkRecord]) -> Styler:
    """Return two rows a case: verdict, figure, target, value and reason."""
    return judged_table(browser_networks_verdicts(records), "browser-networks-verdicts")


def case_table(records: dict[str, BrowserNetworkRecord]) -> Styler:
    """Return a row per case: network and route, the result on the worst path, the jitter buffer."""
    return styled_table(pd.DataFrame([_row(*each) for each in records.items()]), "browser-networks")


def _row(name: str, record: BrowserNetworkRecord) -> dict[str, str]:
    worst = paths_table(record).sort_values("p95_ms").iloc[-1]
    profile = profile_of(record.provenance)
    return {
        "Network": escape(name),
        **network_columns(profile),
        "Went": escape(", ".join(sorted(_went(record)))),
        "Median": _interval(worst, "median_ms"),
        "95th percentile": _interval(worst, "p95_ms"),
        "Jitter buffer": plain(record.statistics["jitter_buffer_ms"].mean(), "ms"),
        "Concealed": f"{worst['concealed_share']:.2%}",
        "Source": escape(profile.source),
    }


def _interval(path: "pd.Series[float]", column: str) -> str:
    return measured(path[column], path[f"{column}_low"], path[f"{column}_high"], "ms")


def _went(record: BrowserNetworkRecord) -> set[str]:
    """Return the routes that pairs of players took."""
    routes = record.provenance["routes"]
    return {taken(routes, *pair) or "unknown" for pair in combinations(routes, 2)}


@styled()
def stages(records: dict[str, BrowserNetworkRecord]) -> ReportFigure:
    """Draw the parts of the mean one-way latency, a bar per case, against the target."""
    count = len(records)
    figure = ReportFigure(1.6 + 0.42 * count, "Parts of the mean one-way latency, a bar per case")
    axes = figure.panels(1, 1)[0]
    axes.set_yticks(range(count), list(records))
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_xlabel("one-way latency (ms)")
    axes.grid(visible=False, axis="y")
    reached_ms = [0.0] * count
    for words, colour, lengths_ms in _parts(records):
        axes.barh(range(count), lengths_ms, left=reached_ms, color=colour, label=words)
        reached_ms = [a + b for a, b in zip(reached_ms, lengths_ms, strict=True)]
    worst_ms = [float(paths_table(record)["p95_ms"].max()) for record in records.values()]
    axes.plot(worst_ms, range(count), "D", color=INK, label="95th percentile, worst path")
    axes.axvline(ACROSS_TARGET_MS, color=VERMILLION, linestyle="--", label="target")
    legend(figure)
    return figure


def _parts(records: dict[str, BrowserNetworkRecord]) -> Iterator[tuple[str, str, list[float]]]:
    """Yield name and colour of each part of the bars, and its length in each bar, in ms."""
    means = [
        waterfall_table(record).set_index("stage")["mean_ms"].fillna(0.0)
        for record in records.values()
    ]
    for words, stage, colour in _PARTS:
        yield words, colour, [float(mean.get(stage, 0.0)) for mean in means]
    known = [sum(float(mean.get(stage, 0.0)) for stage in STAGES) for mean in means]
    rest_ms = [max(0.0, float(m["measured"]) - k) for m, k in zip(means, known, strict=True)]
    yield _REST, FAINT, rest_ms


def link_tables(records: dict[str, BrowserNetworkRecord]) -> HTML:
    """Return the latency that links add, and how late they sent their packets."""
    return literal_html("".join(kernel_links.links(records)))


def provenance_tables(records: dict[str, BrowserNetworkRecord]) -> Styler:
    """Return the first case's browser, parameters and machine, and each case's accuracy."""
    return facts_table(_provenance(records))


def _provenance(
    records: dict[str, BrowserNetworkRecord],
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    first = next(iter(records.values())).provenance
    yield "created", [("date", date_of(first["created"]))]
    yield "browser", [fact(name, value) for name, value in first["browser"].items()]
    errors = {name: record.provenance["error_ms"] for name, record in records.items()}
    yield "largest error of the clocks", [(name, plain(ms, "ms")) for name, ms in errors.items()]
    remarks = [
        (name, words) for name, record in records.items() for words in record.provenance["remarks"]
    ]
    if remarks:
        yield "remarks", remarks
    for group in ("parameters", "machine", "versions"):
        yield group, [fact(name, value) for name, value in first[group].items()]
