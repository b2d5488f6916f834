"""Latency across networks: verdicts, a row per profile, and where the time goes on each."""

from html import escape

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

from jamlab.measure.across import ACROSS_TARGET_MS, across_verdicts
from jamlab.measure.latency import ONE_WAY
from jamlab.measure.record import LatencyRecord
from jamlab.measure.stages import STAGES
from jamlab.measure.summary import paths_table
from jamlab.measure.summary import waterfall as waterfall_table
from jamlab.networks.profile import profile_named
from jamlab.report.breakdown import STAGE_WORDS
from jamlab.report.style import (
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
from jamlab.report.tables import date_of, head, judged_table, styled_table, with_interval

_COLOURS = dict(zip(STAGES, (BLUE, SKY, ORANGE, VERMILLION, GREEN, PURPLE), strict=True))


def masthead(records: dict[str, LatencyRecord], title: str) -> HTML:
    """Return the head of a page: title, what was measured and when, and the overall verdict."""
    provenance = next(iter(records.values())).provenance
    subject = (
        f"{provenance['parameters']['peers']} players on the simulated internet, "
        f"{provenance['parameters']['quality']} · measured {date_of(provenance['created'])} · "
        f"jamlab {provenance['versions']['jamlab']}"
    )
    return head(title, subject, across_verdicts(records))


def verdict_table(records: dict[str, LatencyRecord]) -> Styler:
    """Return a row per profile: verdict, target, value and the reason."""
    return judged_table(across_verdicts(records))


def profile_table(records: dict[str, LatencyRecord]) -> Styler:
    """Return a row per profile: what the network does, and what came of it on the worst path."""
    return styled_table(pd.DataFrame([_row(*each) for each in records.items()]), "profiles")


def _row(name: str, record: LatencyRecord) -> dict[str, str]:
    paths = paths_table(record)
    worst = paths[paths["measurement"] == ONE_WAY].sort_values("p95_ms").iloc[-1]
    profile = profile_named(name)
    return {
        "Network": escape(name),
        "Delay": f"{profile.delay_s * 1000:g} ms",
        "Jitter": f"{profile.jitter_s * 1000:g} ms",
        "Loss": f"{profile.loss:.2%}",
        "Median": with_interval(
            worst["median_ms"], worst["median_ms_low"], worst["median_ms_high"], "ms"
        ),
        "95th percentile": with_interval(
            worst["p95_ms"], worst["p95_ms_low"], worst["p95_ms_high"], "ms"
        ),
        "Concealed": f"{worst['concealed_share']:.2%}",
        "Source": escape(profile.source),
    }


@styled()
def stages(records: dict[str, LatencyRecord]) -> ReportFigure:
    """Draw the stages of the mean one-way latency, a bar per profile, against the target."""
    figure = ReportFigure(
        1.6 + 0.42 * len(records), "Stages of the mean one-way latency, a bar per network profile"
    )
    axes = figure.panels(1, 1)[0]
    axes.set_yticks(range(len(records)), list(records))
    axes.set_ylim(len(records) - 0.4, -0.6)
    axes.set_xlabel("one-way latency (ms)")
    axes.grid(visible=False, axis="y")
    reached_ms = [0.0] * len(records)
    means = [waterfall_table(r).set_index("stage")["mean_ms"].fillna(0) for r in records.values()]
    for stage in STAGES:
        lengths_ms = [float(mean[stage]) for mean in means]
        words = STAGE_WORDS[stage].split(":")[0]
        axes.barh(
            range(len(records)), lengths_ms, left=reached_ms, color=_COLOURS[stage], label=words
        )
        reached_ms = [a + b for a, b in zip(reached_ms, lengths_ms, strict=True)]
    worst_ms = [
        float(paths_table(r).query("measurement == @ONE_WAY")["p95_ms"].max())
        for r in records.values()
    ]
    axes.plot(worst_ms, range(len(records)), "D", color=INK, label="95th percentile, worst path")
    axes.axvline(ACROSS_TARGET_MS, color=VERMILLION, linestyle="--", label="target")
    legend(figure)
    return figure
