"""Tables of an agreement record: rule, simulator and kernel side by side, and coturn's log."""

import math
from collections.abc import Iterator
from html import escape

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

from jamlab.measure.connectivity.record import RESULTS
from jamlab.measure.connectivity_on_kernel.agreement import KERNEL, SIMULATOR
from jamlab.measure.connectivity_on_kernel.agreement_record import (
    AgreementRecord,
    agreement_verdict,
)
from jamlab.measure.connectivity_on_kernel.browser_agreement import (
    BrowserAgreementRecord,
    browser_agreement_verdict,
)
from jamlab.measure.connectivity_on_kernel.calls_of_players import PAIRINGS
from jamlab.report.page.tables import judged_table, literal_html, styled_table

_AGREES = {True: "✓ yes", False: "✗ no"}


def verdict_table(
    record: AgreementRecord, browsers: BrowserAgreementRecord | None = None
) -> Styler:
    """Return the verdict on whether all three agree in every cell, and another on browsers."""
    judged = [agreement_verdict(record)]
    if browsers is not None:
        judged.append(browser_agreement_verdict(browsers))
    return judged_table(judged, "agreement")


def summary_table(record: AgreementRecord) -> Styler:
    """Return a row per configuration: cells by class, disagreements, luck and times."""
    rows = []
    for name, cells in record.table.groupby("configuration", sort=False):
        classes = cells[KERNEL].value_counts()
        rows.append(
            {
                "Configuration": name,
                "Cells": len(cells),
                **{result.capitalize(): classes.get(result, 0) for result in RESULTS},
                "Disagree": int((~cells["agrees"]).sum()),
                "Relayed by luck, simulated": int(cells["simulator_by_luck"].sum()),
                "Relayed by luck, kernel": int(cells["kernel_by_luck"].sum()),
                "Median time to connect, simulated": _time(cells["simulator_time_s"].median()),
                "Median time to connect, kernel": _time(cells["kernel_time_s"].median()),
            }
        )
    return styled_table(pd.DataFrame(rows).astype(str).map(escape), "agreement-summary")


def cells_table(
    record: AgreementRecord, configuration: str, browsers: BrowserAgreementRecord | None = None
) -> Styler:
    """Return a row per pair of places under a configuration, the three side by side.

    A result has its time to connect behind it. Where browsers made the same calls, or sessions of
    jamlab with them or with one another, these have columns of their own; other cells there are
    "–".
    """
    table = record.table
    cells = table[table["configuration"] == configuration]
    shown = pd.DataFrame({"Caller": cells["caller"], "Callee": cells["callee"]})
    shown["Rule"] = cells["oracle"]
    for network, heading in ((SIMULATOR, "Simulated"), (KERNEL, "Kernel")):
        found = cells[[f"{network}_{column}" for column in ("result", "by_luck", "time_s")]]
        shown[heading] = [_found(*each) for each in found.itertuples(index=False)]
    agree = cells["agrees"]
    for players, theirs in _players(browsers, cells):
        found = theirs[["result", "by_luck", "time_to_connect_s"]]
        shown[players] = [_found(*each) for each in found.itertuples(index=False)]
        agree = agree & theirs["agrees"].ne(False).to_numpy()
    shown.insert(3, "Agree", agree.map(_AGREES))  # beside the rule, in sight on a narrow screen
    return styled_table(shown.astype(str).map(escape), f"agreement-{_word(configuration)}")


def players_table(browsers: BrowserAgreementRecord) -> Styler:
    """Return a row per pairing of players: calls by class and times, in cells that all tried."""
    calls = browsers.table
    key = ["call", "configuration"]
    in_all = calls.groupby(key)["result"].transform("size") == len(PAIRINGS)
    rows = []
    for players in PAIRINGS:
        tried = _of(calls[in_all], players)
        classes, times_s = tried["result"].value_counts(), tried["time_to_connect_s"]
        rows.append(
            {
                "Caller and callee": players_named(players),
                "Calls": len(tried),
                **{result.capitalize(): classes.get(result, 0) for result in RESULTS},
                "Median time to connect": _time(times_s.median()),
                "Longest": _time(times_s.max()),
            }
        )
    return styled_table(pd.DataFrame(rows).astype(str).map(escape), "agreement-players")


def players_named(players: tuple[str, str]) -> str:
    """Return the words for the players of caller and callee."""
    caller, callee = players
    return f"{caller} to {callee}"


def _of(calls: pd.DataFrame, players: tuple[str, str]) -> pd.DataFrame:
    caller, callee = players
    return calls[(calls["caller_player"] == caller) & (calls["callee_player"] == callee)]


def _players(
    browsers: BrowserAgreementRecord | None, cells: pd.DataFrame
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the calls of each pairing in the order of cells; a row of NaN where there is none."""
    if browsers is None:
        return
    key = ["caller", "callee", "configuration"]
    ends = pd.MultiIndex.from_tuples(cells[key].itertuples(index=False, name=None))
    calls = browsers.table
    for players in PAIRINGS:
        theirs = _of(calls, players).set_index(key).reindex(ends)
        if theirs["call"].notna().any():
            yield players_named(players), theirs


def server_logs_html(attempts: pd.DataFrame, logs: pd.DataFrame) -> HTML:
    """Return coturn's log of each failed attempt that reached it, folded up."""
    failed = attempts[attempts["time_to_connect_s"].isna()]
    known = failed.merge(logs, on=["call", "configuration"])
    parts = [
        f"<p>{len(known)} of {len(failed)} failed attempts had reached coturn.</p>",
        *(
            f"<details><summary>{escape(f'{caller} with {callee} under {name}')}</summary>"
            f'<pre style="white-space: pre-wrap">{escape(log)}</pre></details>'
            for caller, callee, name, log in known[
                ["caller", "callee", "configuration", "log"]
            ].to_numpy(str)
        ),
    ]
    return literal_html("".join(parts))


def _found(result: object, by_luck: object, time_s: float) -> str:
    """Return a result in words, with the time to connect; "–" where nobody called."""
    if not isinstance(result, str):
        return "–"
    words = f"{result} by luck" if by_luck is True else result
    time = "" if math.isnan(time_s) else f", {_time(time_s)}".replace(" s", "\N{NO-BREAK SPACE}s")
    return f"{words}{time}"


def _time(time_s: float) -> str:
    return "–" if math.isnan(time_s) else f"{time_s:.2f} s"


def _word(text: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in text)
