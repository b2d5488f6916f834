"""Agreement of the rule with browsers: the calls of the agreement, made by Chromium.

Each place has two browsers, one for its callers and one for its callees, in the namespaces of
`jamlab.measure.connectivity_on_kernel.network`; every call has a page of its own in both.

=====================  =============================================================
``calls.parquet``      a row per call, see `CALLS`
``provenance.json``    browser, configurations, deadline, versions
=====================  =============================================================
"""

import asyncio
from asyncio import Semaphore
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import pandas as pd

from jamlab.browsers.engines import Setting
from jamlab.browsers.installed import BrowserError, installed
from jamlab.browsers.launch import browsers
from jamlab.browsers.steps import words
from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity.attempt import FAILED
from jamlab.measure.connectivity.call import Call
from jamlab.measure.connectivity.ends import CALLEE, CALLER
from jamlab.measure.connectivity.population import place_named
from jamlab.measure.connectivity.record import RESULTS
from jamlab.measure.connectivity_on_kernel.agreement import (
    DEADLINE_S,
    TYPES,
    agreement_calls,
    agreement_configurations,
    expected_result,
)
from jamlab.measure.connectivity_on_kernel.browser_call import BrowserCall, call_between
from jamlab.measure.connectivity_on_kernel.network import KernelNetwork
from jamlab.measure.processes import Progress
from jamlab.measure.provenance import provenance
from jamlab.measure.record import NUMBER, Keys, Record, Tables
from jamlab.measure.table import Table
from jamlab.measure.verdict import Outcome, Verdict
from jamlab.networks.model.place import Place

CALLS = {
    "call": "int64",
    "configuration": "object",
    "caller": "object",  # place
    "callee": "object",
    "result": "object",  # "direct", "relayed" or "failed"
    "caller_candidate": "object",  # type of the selected candidate, RFC 8445 §5.1.1; "" if none
    "callee_candidate": "object",
    "time_to_connect_s": "float64",  # NaN unless connected
}
"""Columns of the table of calls."""
ARGUMENTS = ("--ignore-certificate-errors",)
AT_ONCE = 6
"""Largest number of calls under way."""
BROWSERS_FOLDER = "browsers"
"""Name of the record's folder, inside the connectivity record's folder."""


@dataclass(frozen=True, eq=False)
class BrowserAgreementRecord(Record):
    """One run of all calls by browsers."""

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
        return ""

    @property
    def table(self) -> pd.DataFrame:
        """The calls, and in the columns ``oracle`` and ``agrees`` what the rule says of each."""
        by_name = {each.name: each for each in agreement_configurations()}
        ends = self.calls[["caller", "callee", "configuration"]].to_numpy(str)
        oracle = [expected_result(place_named(a), place_named(b), by_name[c]) for a, b, c in ends]
        return self.calls.assign(oracle=oracle, agrees=self.calls["result"] == oracle)


@dataclass(frozen=True)
class _Task:
    call: Call
    configuration: IceConfiguration


def measure_browser_agreement(
    types: Sequence[Place] = TYPES, browser: str = "", progress: Progress = lambda *_: None
) -> BrowserAgreementRecord:
    """Let browsers call between every two places on the kernel.

    The kernel has to be able to build the places. Raises `BrowserError`, `KernelLabError`,
    `CoturnError` or `ProofError`.
    """
    tasks = [
        _Task(call, configuration)
        for call in agreement_calls(types)
        for configuration in agreement_configurations()
    ]
    with KernelNetwork(types) as network:
        progress(0.0, "proving the NATs")
        network.prove()
        setting = Setting(
            installed(browser),
            arguments=ARGUMENTS,
            within={
                _home(side, place): network.host(side, place).command
                for side in (CALLER, CALLEE)
                for place in types
            },
        )
        found = asyncio.run(_call_all(tasks, network, setting, progress))
    return _record(tasks, found, setting)


def _home(side: str, place: Place) -> str:
    return f"{side} at {place.name}"


async def _call_all(
    tasks: Sequence[_Task], network: KernelNetwork, setting: Setting, progress: Progress
) -> list[BrowserCall]:
    progress(0.0, "starting browsers")
    at_once, done = Semaphore(AT_ONCE), 0

    async def called(task: _Task, contexts: Mapping[str, Any]) -> BrowserCall:
        nonlocal done
        caller = contexts[_home(CALLER, task.call.caller)]
        callee = contexts[_home(CALLEE, task.call.callee)]
        async with at_once:
            configuration = network.stand_in(task.configuration, "browser")
            found = await call_between(caller, callee, configuration, DEADLINE_S)
        done += 1
        progress(done / len(tasks), "browsers call")
        return found

    environments = {home: dict[str, str]() for home in setting.within}
    async with browsers(setting, environments, lambda _: "void 0") as started:
        contexts = {each.player: each.page.context for each in started}
        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(called(task, contexts)) for task in tasks]
        except ExceptionGroup as failed:
            fault = words(failed.exceptions[0])
            raise BrowserError(f"{setting.browser.title} does not go on: {fault}") from failed
    return [each.result() for each in running]


def _record(
    tasks: Sequence[_Task], found: Sequence[BrowserCall], setting: Setting
) -> BrowserAgreementRecord:
    rows = [
        {
            "call": task.call.number,
            "configuration": task.configuration.name,
            "caller": task.call.caller.name,
            "callee": task.call.callee.name,
            **asdict(call),
        }
        for task, call in zip(tasks, found, strict=True)
    ]
    browser = {"name": setting.browser.name, "version": setting.browser.version}
    return BrowserAgreementRecord(
        pd.DataFrame(rows, columns=list(CALLS)).astype(CALLS),
        provenance(
            {},
            browser=browser | {"arguments": setting.changes},
            configurations=[each.name for each in agreement_configurations()],
            deadline_s=DEADLINE_S,
            network="kernel",
        ),
    )


def browser_agreement_verdict(record: BrowserAgreementRecord) -> Verdict:
    """Judge whether browsers connect in every cell as the rule says."""
    table = record.table
    wrong = table[~table["agrees"]]
    count, failed = float(len(wrong)), int((table["result"] == FAILED).sum())
    reason = (
        f"Browsers connect as the rule says in each of {len(table)} cells; in {failed} of them "
        "nothing can connect."
    )
    if len(wrong):
        first = wrong.iloc[0]
        reason = (
            f"{len(wrong)} of {len(table)} cells disagree, the first: {first['caller']} with "
            f"{first['callee']} under {first['configuration']} is {first['oracle']} by the rule "
            f"and {first['result']} between browsers."
        )
    outcome = Outcome.FAIL if len(wrong) else Outcome.PASS
    name = "disagreements of rule and browsers"
    return Verdict(name, "≤ 0", count, (count, count), "cells", outcome, reason)
