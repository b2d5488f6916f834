"""Tables of a campaign of sessions: verdicts, paths and times, and what users were told."""

import math
from collections.abc import Iterator
from html import escape
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from jamlab.measure.connectivity.record import RESULTS, ConnectivityRecord
from jamlab.measure.digits import measured, plain
from jamlab.measure.session_connectivity import told
from jamlab.measure.session_connectivity.measures import direct_by_rule
from jamlab.measure.session_connectivity.record import SessionRecord
from jamlab.measure.session_connectivity.verdicts import session_verdicts
from jamlab.measure.statistics import proportion
from jamlab.report.page.opening import Head, head
from jamlab.report.page.tables import date_of, fact, facts_table, judged_table, styled_table

_QUANTILES = (0.5, 0.9, 0.95)
_GROUPS = ("machine", "versions")
_UNSHOWN = {"created", "files", "parameters", "relay_only", "with_stun", "with_turn", *_GROUPS}


def masthead(record: SessionRecord, agents: ConnectivityRecord, title: str) -> Head:
    """Return the head of a page: title, subject and date, and the verdict on the sessions.

    The calls of bare ICE agents beside them are not judged: no session connects as they do.
    """
    asked, versions = record.provenance, record.provenance["versions"]
    subject = (
        f"{asked['calls']} meetings of two sessions within the population {asked['population']}, "
        f"network {asked['profile']}, and {agents.provenance['calls']} calls of {agents.ends}, "
        f"on the simulated internet · measured {date_of(asked['created'])} · "
        f"jamlab {versions['jamlab']}"
    )
    return head(title, subject, session_verdicts(record))


def verdict_table(record: SessionRecord) -> Styler:
    """Return a row per target: verdict, figure, target, value and reason."""
    return judged_table(session_verdicts(record))


def sounds_table(record: SessionRecord) -> Styler:
    """Return a row per configuration: paths at the end, and times until both hear each other.

    Shares have the simulation error (Wilson's 95 % interval), times none.
    """
    rows = [_sounds_row(record, configuration) for configuration in record.configurations]
    return styled_table(pd.DataFrame(rows).map(escape), "sounds")


def _sounds_row(record: SessionRecord, configuration: str) -> dict[str, str]:
    sessions = record.of(configuration)
    row = {"Configuration": configuration, "Meetings": str(len(sessions))}
    for result in RESULTS:
        row[result.capitalize()] = _share((sessions["result"] == result).sum(), len(sessions))
    stun = configuration in record.provenance["with_stun"]
    by_rule = direct_by_rule(sessions, stun=stun)
    row["Direct by the rule"] = plain(100 * float(by_rule.mean()), "%")
    sound_s = sessions["first_sound_s"].fillna(math.inf).sort_values()
    for quantile in _QUANTILES:
        heard_s = float(sound_s.quantile(quantile, interpolation="higher"))
        row[f"{quantile:.0%} have sound"] = _time(heard_s)
    row["All have sound"] = _time(float(sound_s.max()))
    return row


def _share(count: int, whole: int) -> str:
    share = proportion(int(count), whole)
    return measured(100 * share.value, 100 * share.low, 100 * share.high, "%")


def _time(time_s: float) -> str:
    return "never" if math.isinf(time_s) else f"{time_s:.2f} s"


def told_table(record: SessionRecord) -> Styler:
    """Return a row per configuration and kind of notice: in how many calls users were told so."""
    rows = [
        {
            "Configuration": row["configuration"],
            "Notice": row["kind"],
            "Calls": f"{row['calls']} ({row['share']:.1%})",
            "First, median": f"{row['first_s']:.1f} s",
            f"Within {told.EARLY_S:g} s, though it connects": str(row["early"]),
        }
        for row in told.told_table(record.sessions).to_dict("records")
    ]
    nothing = [{"Configuration": "all", "Notice": "no user saw one", "Calls": "0"}]
    return styled_table(pd.DataFrame(rows or nothing).map(escape), "told")


def provenance_table(record: SessionRecord, agents: ConnectivityRecord) -> Styler:
    """Return the provenance: date, both plans (sessions, ICE agents), machine and versions."""
    provenance = record.provenance
    groups = [("created", [("date", date_of(provenance["created"]))])]
    groups += [
        ("sessions", [*_facts(provenance)]),
        ("bare ICE agents", [*_facts(agents.provenance)]),
    ]
    groups += [(name, [fact(*each) for each in provenance[name].items()]) for name in _GROUPS]
    return facts_table(groups)


def _facts(provenance: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each parameter of a campaign, as text."""
    for name, value in provenance.items():
        if name not in _UNSHOWN and value is not None:
            yield fact(name, value)
