"""Tables and figure of latency across networks: verdicts, a row per profile, stages."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from html import escape
from typing import Any, TypeAlias

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

from jamlab.measure.across_networks.kernel_record import KernelRecord
from jamlab.measure.across_networks.simulated import ACROSS_TARGET_MS, across_verdicts
from jamlab.measure.digits import measured
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.run import ONE_WAY
from jamlab.measure.latency.stages import STAGES
from jamlab.measure.latency.verdicts import paths_table
from jamlab.measure.latency.verdicts import waterfall as waterfall_table
from jamlab.networks.model.profile import NetworkProfile, profile_named
from jamlab.report.across_networks import kernel_links
from jamlab.report.latency.breakdown import STAGE_WORDS
from jamlab.report.page.figures import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    ReportFigure,
    legend,
    styled,
)
from jamlab.report.page.opening import Head, head
from jamlab.report.page.tables import date_of, judged_table, styled_table

_NO_DISTANCE = NetworkProfile("no distance", 0.0, 0.0, 0.0, 1.0, 1e12, 1e12, "plain cables", "")
_COLOURS = dict(zip(STAGES, (BLUE, SKY, ORANGE, VERMILLION, GREEN, PURPLE), strict=True))


def masthead(records: dict[str, LatencyRecord], title: str) -> Head:
    """Return the head of a page: title, subject and date of the measurement, overall verdict."""
    first = next(iter(records.values()))
    provenance = first.provenance
    where = "the simulated internet"
    if isinstance(first, KernelRecord):
        where = "the kernel's network, each behind a router"
    subject = (
        f"{provenance['parameters']['peers']} participants on {where}, "
        f"{provenance['parameters']['quality']} · measured {date_of(provenance['created'])} · "
        f"jamlab {provenance['versions']['jamlab']}"
    )
    return head(title, subject, across_verdicts(records))


def verdict_table(records: dict[str, LatencyRecord]) -> Styler:
    """Return a row per profile: verdict, target, value and reason."""
    return judged_table(across_verdicts(records))


def profile_table(records: dict[str, LatencyRecord]) -> Styler:
    """Return a row per profile: the network's properties, and the result on the worst path."""
    return styled_table(pd.DataFrame([_row(*each) for each in records.items()]), "profiles")


def _row(name: str, record: LatencyRecord) -> dict[str, str]:
    paths = paths_table(record)
    worst = paths[paths["measurement"] == ONE_WAY].sort_values("p95_ms").iloc[-1]
    profile = profile_of({"network": name, **record.provenance})
    return {
        "Network": escape(name),
        **network_columns(profile),
        "Median": measured(
            worst["median_ms"], worst["median_ms_low"], worst["median_ms_high"], "ms"
        ),
        "95th percentile": measured(
            worst["p95_ms"], worst["p95_ms_low"], worst["p95_ms_high"], "ms"
        ),
        "Concealed": f"{worst['concealed_share']:.2%}",
        "Source": escape(profile.source),
    }


def profile_of(provenance: Mapping[str, Any]) -> NetworkProfile:
    """Return the profile of a record's network; without one, that of plain cables.

    That of a trace, which does not ship, is in the provenance.
    """
    network = provenance["network"]
    if replayed := provenance.get("replayed"):
        return replace(_NO_DISTANCE, name=network, **replayed)
    return profile_named(network) if network else _NO_DISTANCE


def network_columns(profile: NetworkProfile) -> dict[str, str]:
    """Return the columns of a table on a profile's properties: of a trace, the least and means."""
    figures = profile.stationary
    return {
        "Delay": f"{figures.delay_s * 1000:.3g} ms",
        "Jitter": f"{figures.jitter_s * 1000:.3g} ms",
        "Loss": f"{figures.loss:.2%}",
    }


def kernel_tables(records: dict[str, LatencyRecord]) -> HTML | None:
    """Return the further tables of records of the kernel's network; None for simulated ones.

    They show the latency that links add, and the bounds of each path's latency.
    """
    on_kernel = {name: each for name, each in records.items() if isinstance(each, KernelRecord)}
    return kernel_links.tables(on_kernel) if on_kernel else None


@styled()
def stages(records: dict[str, LatencyRecord]) -> ReportFigure:
    """Draw the parts of the mean one-way latency, a bar per network, against the target."""
    figure = ReportFigure(
        1.6 + 0.42 * len(records), "Parts of the mean one-way latency, a bar per network"
    )
    axes = figure.panels(1, 1)[0]
    axes.set_yticks(range(len(records)), list(records))
    axes.set_ylim(len(records) - 0.4, -0.6)
    axes.set_xlabel("one-way latency (ms)")
    axes.grid(visible=False, axis="y")
    reached_ms = [0.0] * len(records)
    for words, colour, lengths_ms in _parts(records):
        axes.barh(range(len(records)), lengths_ms, left=reached_ms, color=colour, label=words)
        reached_ms = [a + b for a, b in zip(reached_ms, lengths_ms, strict=True)]
    worst_ms = [
        float(paths_table(r).query("measurement == @ONE_WAY")["p95_ms"].max())
        for r in records.values()
    ]
    axes.plot(worst_ms, range(len(records)), "D", color=INK, label="95th percentile, worst path")
    axes.axvline(ACROSS_TARGET_MS, color=VERMILLION, linestyle="--", label="target")
    legend(figure)
    return figure


_Parts: TypeAlias = Iterator[tuple[str, str, list[float]]]
"""Name and colour of each part of the bars, and its length in each bar, in ms."""


def _parts(records: dict[str, LatencyRecord]) -> _Parts:
    if any(isinstance(record, KernelRecord) for record in records.values()):
        yield from _parts_on_kernel(records)
        return
    means = [waterfall_table(r).set_index("stage")["mean_ms"].fillna(0) for r in records.values()]
    for stage in STAGES:
        words = STAGE_WORDS[stage].split(":")[0]
        yield words, _COLOURS[stage], [float(mean[stage]) for mean in means]


def _parts_on_kernel(records: dict[str, LatencyRecord]) -> _Parts:
    """Yield the two parts known for separate processes: the links' delay, and the rest."""
    delays_ms = [record.provenance["delay_s"] * 1000 for record in records.values()]
    means_ms = [float(record.clicks["latency_ms"].mean()) for record in records.values()]
    rest_ms = [mean_ms - delay_ms for mean_ms, delay_ms in zip(means_ms, delays_ms, strict=True)]
    yield "codec, cards, buffers, jitter", BLUE, rest_ms
    yield "delay of the links", ORANGE, delays_ms
