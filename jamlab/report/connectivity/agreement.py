"""Tables of an agreement record: rule, simulator and kernel side by side, and coturn's log."""

import math
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
from jamlab.report.page.tables import judged_table, styled_table

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

    Where browsers made the same calls, they have columns of their own.
    """
    table = record.table
    cells = table[table["configuration"] == configuration]
    shown = pd.DataFrame({"Caller": cells["caller"], "Callee": cells["callee"]})
    shown["Rule"] = cells["oracle"]
    for network, heading in ((SIMULATOR, "Simulated"), (KERNEL, "Kernel")):
        selected = cells[[f"{network}_result", f"{network}_by_luck"]].itertuples(index=False)
        shown[heading] = [_selected(result, lucky=lucky) for result, lucky in selected]
        shown[f"{heading}, time to connect"] = cells[f"{network}_time_s"].map(_time)
    agree = cells["agrees"]
    if browsers is not None:
        calls = browsers.table.set_index(["caller", "callee", "configuration"])
        theirs = calls.loc[[*cells[["caller", "callee", "configuration"]].itertuples(index=False)]]
        shown["Browser"] = theirs["result"].to_numpy()
        shown["Browser, time to connect"] = theirs["time_to_connect_s"].map(_time).to_numpy()
        agree = agree & theirs["agrees"].to_numpy()
    shown["Agree"] = agree.map(_AGREES)
    return styled_table(shown.astype(str).map(escape), f"agreement-{_word(configuration)}")


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
    return HTML("".join(parts))  # type: ignore[no-untyped-call]


def _selected(result: str, *, lucky: bool) -> str:
    return f"{result} by luck, direct-capable" if lucky else result


def _time(time_s: float) -> str:
    return "–" if math.isnan(time_s) else f"{time_s:.2f} s"


def _word(text: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in text)
