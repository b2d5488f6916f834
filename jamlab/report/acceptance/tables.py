"""Tables of the acceptance tests: verdicts, figures, events, and the observations of each test."""

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

from jamlab.measure.acceptance import different_networks as apart
from jamlab.measure.acceptance import sound
from jamlab.measure.acceptance.browser_tests import BROWSER_TESTS
from jamlab.measure.acceptance.different_networks import DIFFERENT_NETWORKS
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.sound import THREE_USERS
from jamlab.measure.acceptance.verdicts import acceptance_verdicts, figure_verdicts
from jamlab.measure.digits import measured
from jamlab.report.page.opening import Head, head
from jamlab.report.page.tables import (
    date_of,
    fact,
    facts_table,
    judged_table,
    literal_html,
    styled_table,
)

_AUDIBLE_DBFS = -80.0


def masthead(record: AcceptanceRecord, title: str) -> Head:
    """Return the head of a page: title, subject and date of the measurement, overall verdict."""
    made = record.provenance
    tests = "1 test" if len(record.tests) == 1 else f"{len(record.tests)} tests"
    by_browsers = set(record.tests) <= {*BROWSER_TESTS}
    where = "played by browsers" if by_browsers else "on virtual sound cards"
    subject = (
        f"{tests} {where} · measured {date_of(made['created'])} · "
        f"jamlab {made['versions']['jamlab']}"
    )
    return head(title, subject, acceptance_verdicts(record))


def verdict_table(record: AcceptanceRecord) -> Styler:
    """Return a row per test: verdict, decisive figure, target, value and reason."""
    return judged_table(acceptance_verdicts(record))


def figure_table(record: AcceptanceRecord, test: str) -> Styler | HTML:
    """Return a row per figure of a test, or the reason why it has none."""
    if test not in record.tests:
        return _sentence("This test was not requested.")
    if test in record.not_run:
        why, remedy = record.not_run[test]
        return _sentence(f"This test was not run, because {why}: {remedy}.")
    return judged_table(figure_verdicts(record, test), "figures")


def event_table(record: AcceptanceRecord, test: str) -> Styler | None:
    """Return a row per event, place by place, in order of time; None without events."""
    events = record.of(test, "events").sort_values(["panel", "at_s"], kind="stable")
    if events.empty:
        return None
    shown = pd.DataFrame(
        {
            "Time": [f"{at_s:.1f} s" for at_s in events["at_s"]],
            "Where": events["panel"],
            "Notice to": events["who"],
            "About": events["peer"],
            "What": events["words"],
        }
    )
    if len(set(events["panel"])) == 1:
        shown = shown.drop(columns="Where")
    return styled_table(shown.map(escape), "events")


def mix_table(record: AcceptanceRecord) -> Styler | None:
    """Return the level of each tone at each listener, a row per listener; None without levels."""
    figures = record.of(THREE_USERS)
    levels = figures[figures["figure"] == sound.LEVEL]
    if levels.empty:
        return None
    ends = levels["subject"].str.split(" → ", expand=True)
    rows: dict[str, dict[str, str]] = {}
    for sender, listener, level_dbfs in zip(ends[0], ends[1], levels["value"], strict=True):
        heard = "not heard" if level_dbfs < _AUDIBLE_DBFS else f"{level_dbfs:.1f} dBFS"
        rows.setdefault(listener, {"Heard by": escape(listener)})[escape(f"from {sender}")] = heard
    return styled_table(pd.DataFrame(rows.values()), "mix")


def case_table(record: AcceptanceRecord) -> Styler | None:
    """Return a row per pair of networks: how they connected, and their latency; None without."""
    figures = record.of(DIFFERENT_NETWORKS)
    connected = figures[figures["figure"] == apart.CONNECTED_AFTER]
    if connected.empty:
        return None
    cases = {case.name: case for case in apart.CASES}
    rows = [_case_row(name, cases, figures) for name in connected["subject"]]
    return styled_table(pd.DataFrame(rows).map(escape), "cases")


def _case_row(name: str, cases: Mapping[str, apart.Case], figures: pd.DataFrame) -> dict[str, str]:
    of_case = figures[figures["subject"].str.split(", ").str[0] == name]
    after_s = of_case.loc[of_case["figure"] == apart.CONNECTED_AFTER, "value"].max()
    relayed = of_case[of_case["figure"].isin([apart.RELAYED, apart.AVOIDABLE])]["value"]
    worst = of_case[of_case["figure"] == apart.LATENCY].nlargest(1, "value")
    ends: list[tuple[float, float, float]] = [
        (value, low, high) for value, low, high in worst[["value", "low", "high"]].to_numpy(float)
    ]
    case = cases.get(name)
    return {
        "Networks": name,
        "Servers": case.configuration if case else "",
        "Connected after": f"{after_s:.1f} s",
        "Through TURN": f"{relayed.iloc[0]:.0f} %" if len(relayed) else "not connected",
        "95th percentile": measured(*ends[0], "ms") if len(ends) else "not measured",
        "Without": _control(case, of_case),
    }


def _control(case: apart.Case | None, figures: pd.DataFrame) -> str:
    """Return the result of the control, the attempt that must fail; "" without one."""
    tried = case.without if case else "the next weaker configuration"
    connected = figures.loc[figures["figure"] == apart.CONTROL, "value"]
    if connected.empty:
        return ""
    return f"{tried}: {'connects as well' if connected.max() else 'does not connect'}"


def provenance_table(record: AcceptanceRecord) -> Styler:
    """Return the record's provenance: date, tests, machine and versions."""
    made: dict[str, Any] = record.provenance
    facts = [("date", date_of(made["created"])), ("tests", ", ".join(record.tests))]
    groups = (
        (group, [fact(*each) for each in made[group].items()]) for group in ("machine", "versions")
    )
    return facts_table([("run", facts), *groups])


def _sentence(words: str) -> HTML:
    return literal_html(f"<p>{escape(words)}</p>")
