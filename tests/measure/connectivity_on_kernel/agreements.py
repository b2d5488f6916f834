"""Agreement records without a kernel: its attempts are simulated."""

import math

import pandas as pd

from jamlab.measure.connectivity.call import simulate
from jamlab.measure.connectivity.campaign import attempt_row
from jamlab.measure.connectivity.record import ATTEMPT_COLUMNS
from jamlab.measure.connectivity_on_kernel.agreement import (
    DEADLINE_S,
    TYPES,
    agreement_calls,
    agreement_configurations,
    expected_result,
)
from jamlab.measure.connectivity_on_kernel.agreement_record import (
    AgreementRecord,
    agreement_provenance,
)
from jamlab.measure.connectivity_on_kernel.browser_agreement import (
    BrowserAgreementRecord,
    calls_of,
)
from jamlab.measure.connectivity_on_kernel.calls_of_players import PAIRINGS, cells_of, sample_of
from jamlab.measure.connectivity_on_kernel.trickled_call import TrickledCall

BROWSER = {"name": "chromium", "version": "156.0.1", "arguments": []}
NAMED = {place.name.split("/")[0]: place for place in TYPES}
OPEN, BLOCKED = NAMED["open"], NAMED["UDP blocked"]
FEW = tuple(p for p in TYPES if p.name in ("open", "EIM/APDF/preserve", "APDM/APDF/random"))


def simulated(*groups):
    """Return the attempts of an agreement, simulated."""
    rows = [
        attempt_row(call, each, "ice", simulate(call, each, "ice", DEADLINE_S))
        for call in agreement_calls(*(groups or (FEW,)))
        for each in agreement_configurations()
    ]
    return pd.DataFrame(rows, columns=[*ATTEMPT_COLUMNS])


def agreement(types=(*FEW, BLOCKED)):
    """Return a record in which all agree, with a log of one failed attempt."""
    attempts = simulated(types)
    failed = attempts[attempts["result"] == "failed"].iloc[:1]
    logs = failed[["call", "configuration"]].assign(log="1: : session 7: <b>said</b>")
    return AgreementRecord(attempts, attempts.copy(), logs, agreement_provenance())


def changed(attempts, configuration, result, of=0):
    """Return attempts of which the so-manieth of a configuration came to another result."""
    attempts = attempts.copy()
    row = attempts.index[attempts["configuration"] == configuration][of]
    connected = result != "failed"
    attempts.loc[row, "result"] = result
    attempts.loc[row, "time_to_connect_s"] = 0.25 if connected else float("nan")
    attempts.loc[row, "observed_s"] = 0.25 if connected else DEADLINE_S
    attempts.loc[row, "stage"] = "" if connected else "deadline"
    return attempts


FOUND = {
    "direct": TrickledCall("direct", "srflx", "srflx", 0.1),
    "relayed": TrickledCall("relayed", "relay", "relay", 0.15),
    "failed": TrickledCall("failed", "", "", math.nan),
}


def browser_agreement(types=(*FEW, BLOCKED), wrong=0):
    """Return a record of browsers that agree with the rule, but for so many calls that failed."""
    tasks = [*cells_of(types), *sample_of(types, PAIRINGS[1:])]
    results = [expected_result(t.call.caller, t.call.callee, t.configuration) for t in tasks]
    calls = calls_of(tasks, [FOUND[result] for result in results])
    connected = calls.index[calls["result"] != "failed"][:wrong]
    calls.loc[connected, "result"] = "failed"
    return BrowserAgreementRecord(calls, agreement_provenance() | {"browser": BROWSER})
