"""Tables of the rig's records, of one system or of several: head, verdicts, paths, provenance."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from jamlab.measure.digits import measured, plain
from jamlab.measure.rig.record import RigRecord
from jamlab.measure.rig.verdicts import rig_paths, rig_verdicts, side_by_side
from jamlab.measure.verdict import Outcome
from jamlab.report.page.opening import Head, badge, head
from jamlab.report.page.tables import date_of, fact, facts_table, judged_table, styled_table


def masthead(systems: Sequence[RigRecord], title: str) -> Head:
    """Return the head of a page: title, what was measured and when, overall verdict."""
    judged = [verdict for each in systems for verdict in rig_verdicts(each)]
    return head(title, " · ".join(map(_subject, systems)), judged)


def _subject(record: RigRecord) -> str:
    told = record.provenance
    return (
        f"{record.system}, {len(told['parameters']['commands'])} players, from mouth to ear on an "
        f"audio graph, measured {date_of(told['created'])}"
    )


def verdict_table(systems: Sequence[RigRecord]) -> Styler:
    """Return a row per system and target: verdict, figure, target, value and reason."""
    return judged_table(
        [verdict for each in systems for verdict in rig_verdicts(each)], "rig-verdicts"
    )


def comparison_table(systems: Sequence[RigRecord]) -> Styler:
    """Return a row per system, the quickest first: the figures of its worst path."""
    rows = side_by_side(systems)
    shown = pd.DataFrame(
        {
            "System": rows["system"].map(escape),
            "Median": _intervals(rows, "median_ms"),
            "95th percentile": _intervals(rows, "p95_ms"),
            "Heard": [f"{share:.1%}" for share in rows["heard_share"]],
            "Missing or damaged": [f"{share:.1%}" for share in rows["damaged_share"]],
            "Period": [f"{frames} frames" for frames in rows["period_frames"]],
            "Verdict": [badge(Outcome(outcome)) for outcome in rows["outcome"]],
        }
    )
    return styled_table(shown, "systems")


def path_table(systems: Sequence[RigRecord]) -> Styler:
    """Return a row per system and ordered pair of players, the slowest of each first."""
    tables = [
        rig_paths(each).sort_values("p95_ms", ascending=False).assign(system=each.system)
        for each in systems
    ]
    paths = pd.concat(tables, ignore_index=True)
    shown = pd.DataFrame(
        {
            "System": paths["system"],
            "Path": paths["sender"] + " → " + paths["receiver"],
            "Heard": [
                f"{round(share * clicks)} of {clicks}"
                for share, clicks in zip(paths["heard_share"], paths["clicks"], strict=True)
            ],
            "Median": _intervals(paths, "median_ms"),
            "95th percentile": _intervals(paths, "p95_ms"),
            "Missing or damaged": [f"{share:.1%}" for share in paths["damaged_share"]],
            "Confidence": [f"{value:.2f}" for value in paths["confidence"]],
            "Sessions": paths["sessions"].astype(str),
        }
    )
    return styled_table(shown.map(escape), "rig-paths")


def remarks_table(systems: Sequence[RigRecord]) -> Styler:
    """Return the remarks on each run."""
    rows = [
        {"System": each.system, "Remark": str(words)}
        for each in systems
        for words in each.provenance["remarks"]
    ]
    return styled_table(pd.DataFrame(rows, columns=["System", "Remark"]).map(escape), "remarks")


def provenance_table(systems: Sequence[RigRecord]) -> Styler:
    """Return the provenance of each run: date, accuracy, commands, parameters and versions."""
    several = len(systems) > 1
    return facts_table(
        (f"{each.system}: {group}" if several else group, facts)
        for each in systems
        for group, facts in _provenance(each)
    )


def _provenance(record: RigRecord) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    told, late = record.provenance, record.punctuality
    yield "created", [("date", date_of(told["created"]))]
    accuracy = {
        "spread of the rig's delay": told["error_ms"],
        "delay of the rig, taken off": told["own_delay_ms"],
        "latest cycle of the audio graph": float(late["worst_lateness_ms"].max()),
    }
    yield "accuracy", [(name, plain(value, "ms")) for name, value in accuracy.items()]
    yield (
        "cycles",
        [
            (name.replace("_", " "), str(late[name].sum()))
            for name in ("cycles", "missed_cycles", "late_cycles", "xruns")
        ],
    )
    yield "processors", [("most of their time in use", f"{late['busy_share'].max():.0%}")]
    parameters = dict(told["parameters"])
    yield "programs", list(_programs(parameters.pop("commands"), parameters.pop("before")))
    for group, facts in (("parameters", parameters), *_rest(told)):
        yield group, [fact(name, value) for name, value in facts.items()]


def _programs(commands: Sequence[Any], before: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for command in before:
        yield "before the players'", str(command)
    for number, command in enumerate(commands, start=1):
        yield f"player {number}", str(command)


def _rest(told: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for group in ("machine", "versions"):
        yield group, told[group]


def _intervals(rows: pd.DataFrame, column: str) -> list[str]:
    estimates = rows[[column, f"{column}_low", f"{column}_high"]].to_numpy()
    return [measured(value, low, high, "ms") for value, low, high in estimates]
