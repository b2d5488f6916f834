"""Agreement of the rule with browsers: the calls of the agreement, made by Chromium.

In a sample of its cells, sessions of jamlab make the same calls: with a browser at one end, and
with one another (`jamlab.measure.connectivity_on_kernel.calls_of_players`).

=====================  =============================================================
``calls.parquet``      a row per call, see `CALLS`
``provenance.json``    browser, configurations, deadline, versions
=====================  =============================================================
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import pandas as pd

from jamlab.browsers.engines import Setting
from jamlab.measure.connectivity.attempt import DIRECT, FAILED
from jamlab.measure.connectivity.record import RESULTS
from jamlab.measure.connectivity_on_kernel.agreement import (
    DEADLINE_S,
    TYPES,
    agreement_configurations,
    expected_result,
    relayed_by_luck,
)
from jamlab.measure.connectivity_on_kernel.calls_of_players import (
    BROWSER,
    JAMLAB,
    PAIRINGS,
    PlayersTask,
    call_on_kernel,
    cells_of,
    sample_of,
    setting_of,
)
from jamlab.measure.connectivity_on_kernel.trickled_call import TrickledCall
from jamlab.measure.processes import Progress
from jamlab.measure.provenance import provenance
from jamlab.measure.record import NUMBER, Keys, Record, Tables
from jamlab.measure.table import Table
from jamlab.measure.verdict import Outcome, Verdict
from jamlab.networks.model.place import Place
from jamlab.networks.model.place_names import place_named

CALLS = {
    "call": "int64",
    "configuration": "object",
    "caller": "object",  # place
    "callee": "object",
    "caller_player": "object",  # "browser" or "jamlab"
    "callee_player": "object",
    "result": "object",  # "direct", "relayed" or "failed"
    "caller_candidate": "object",  # type of the selected candidate, RFC 8445 §5.1.1; "" if none
    "callee_candidate": "object",
    "time_to_connect_s": "float64",  # NaN unless connected
}
"""Columns of the table of calls."""
BROWSERS_FOLDER = "browsers"
"""Name of the record's folder, inside the connectivity record's folder."""


@dataclass(frozen=True, eq=False)
class BrowserAgreementRecord(Record):
    """One run of all calls by browsers, and of those with sessions."""

    TABLES: ClassVar[Tables] = {"calls": Table(CALLS, empty=False)}
    KEYS: ClassVar[Keys] = {
        "browser.name": str,
        "browser.version": str,
        "configurations": list,
        "deadline_s": NUMBER,
    }
    WRITTEN_BY = "`jamlab connectivity --network kernel --player browser`"

    calls: pd.DataFrame
    provenance: dict[str, Any]

    def mismatch(self) -> str:
        """Return which calls no agreement has."""
        known = {each.name for each in agreement_configurations()}
        if not set(self.calls["configuration"]) <= known:
            return "has configurations that are not part of the agreement"
        if not set(self.calls["result"]) <= {*RESULTS}:
            return "has results that no call has"
        if not {*self.calls["caller_player"], *self.calls["callee_player"]} <= {BROWSER, JAMLAB}:
            return "has players that are neither browser nor jamlab"
        return ""

    @property
    def table(self) -> pd.DataFrame:
        """The calls with columns ``oracle``, by the rule, ``agrees``, and ``by_luck``.

        A call is relayed by luck when the same one is direct without a relay: the rule says which
        paths there are, not which one a browser takes.
        """
        by_name = {each.name: each for each in agreement_configurations()}
        ends = self.calls[["caller", "callee", "configuration"]].to_numpy(str)
        oracle = [expected_result(place_named(a), place_named(b), by_name[c]) for a, b, c in ends]
        by_luck = relayed_by_luck(self.calls, by_name.values())
        agrees = self.calls["result"].mask(by_luck, DIRECT) == oracle
        return self.calls.assign(oracle=oracle, by_luck=by_luck, agrees=agrees)


def measure_browser_agreement(
    types: Sequence[Place] = TYPES, browser: str = "", progress: Progress = lambda *_: None
) -> BrowserAgreementRecord:
    """Let browsers call between every two places on the kernel, and with sessions in a sample.

    The kernel has to be able to build the places. Raises `BrowserError`, `KernelLabError`,
    `CoturnError`, `ProofError` or `ChildError`.
    """
    setting = setting_of(browser)
    tasks = [*cells_of(types), *sample_of(types, PAIRINGS[1:])]
    return _record(tasks, call_on_kernel(tasks, setting, progress), setting)


def calls_of(tasks: Sequence[PlayersTask], found: Sequence[TrickledCall]) -> pd.DataFrame:
    """Return a row per call, columns `CALLS`."""
    rows = [
        {
            "call": task.call.number,
            "configuration": task.configuration.name,
            "caller": task.call.caller.name,
            "callee": task.call.callee.name,
            "caller_player": task.players[0],
            "callee_player": task.players[1],
            **asdict(call),
        }
        for task, call in zip(tasks, found, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(CALLS)).astype(CALLS)


def _record(
    tasks: Sequence[PlayersTask], found: Sequence[TrickledCall], setting: Setting
) -> BrowserAgreementRecord:
    browser = {"name": setting.browser.name, "version": setting.browser.version}
    return BrowserAgreementRecord(
        calls_of(tasks, found),
        provenance(
            {},
            browser=browser | {"arguments": setting.changes},
            configurations=[each.name for each in agreement_configurations()],
            deadline_s=DEADLINE_S,
            network="kernel",
        ),
    )


def browser_agreement_verdict(record: BrowserAgreementRecord) -> Verdict:
    """Judge whether browsers connect in every cell where the rule says so, and in no other."""
    table = record.table
    wrong = table[~table["agrees"]]
    count, failed = float(len(wrong)), int((table["result"] == FAILED).sum())
    lucky = int(table["by_luck"].sum())
    between = (table["caller_player"] == BROWSER) & (table["callee_player"] == BROWSER)
    reason = (
        f"Calls connect where the rule says so, {between.sum()} between browsers and "
        f"{(~between).sum()} with jamlab at an end or both; in {failed} of them nothing can "
        f"connect, and in {lucky} a relay was kept to although there is a direct path."
    )
    if len(wrong):
        first = wrong.iloc[0]
        reason = (
            f"{len(wrong)} of {len(table)} calls disagree, the first: {first['caller']} with "
            f"{first['callee']} under {first['configuration']} is {first['oracle']} by the rule "
            f"and {first['result']} from {first['caller_player']} to {first['callee_player']}."
        )
    outcome = Outcome.FAIL if len(wrong) else Outcome.PASS
    name = "disagreements of rule and browsers"
    return Verdict(name, "≤ 0", count, (count, count), "calls", outcome, reason)
