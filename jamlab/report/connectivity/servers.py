"""Tables of connectivity on this machine's network: the servers, and the attempts."""

import math
from html import escape

import pandas as pd
from pandas.io.formats.style import Styler

from jamlab.measure.connectivity.record import RESULTS, ConnectivityRecord
from jamlab.measure.servers.probe import STEPS
from jamlab.measure.servers.table import distinct_probes, probe_of
from jamlab.measure.servers.words import sentence
from jamlab.report.page.tables import styled_table

_PASSED = {True: "✓ yes", False: "✗ no", None: "–"}


def servers_table(record: ConnectivityRecord) -> Styler:
    """Return a row per server of each configuration: the steps it passed, and round-trip times."""
    rows = []
    for row in record.servers.to_dict("records"):
        found = probe_of(row)
        rows.append(
            {
                "Configuration": row["configuration"],
                "Server": found.url,
                "Over": found.transport.upper(),
                **{step.capitalize(): _PASSED[found.passed(step)] for step in STEPS},
                "Round trip": _milliseconds(found.round_trip_s),
                "Through the relay": _milliseconds(found.relay_round_trip_s),
                "Used by aiortc": "yes" if row["used"] else "no",
            }
        )
    return styled_table(pd.DataFrame(rows).astype(str).map(escape), "servers")


def sentences_table(record: ConnectivityRecord) -> Styler:
    """Return a row per server: the result of its probe in words, and its software."""
    rows = [
        {
            "Configuration": names,
            "Server": found.url,
            "In words": sentence(found),
            "Round trips measured": found.round_trips,
            "Software": found.software or "–",
        }
        for found, names in distinct_probes(record.servers)
    ]
    return styled_table(pd.DataFrame(rows).astype(str).map(escape), "sentences")


def attempts_table(record: ConnectivityRecord) -> Styler:
    """Return a row per configuration: results and candidate types of its attempts."""
    rows = []
    for name in record.configurations:
        attempts = record.of(name)
        connected = attempts[attempts["time_to_connect_s"].notna()]
        counts = attempts["result"].value_counts()
        rows.append(
            {
                "Configuration": name,
                "Attempts": len(attempts),
                **{result.capitalize(): counts.get(result, 0) for result in RESULTS},
                "Candidates": _some(
                    connected["caller_candidate"] + " – " + connected["callee_candidate"]
                ),
                "To the relay over": _some(connected["relay_transport"].str.upper()),
                "Time to connect": _range(connected["time_to_connect_s"]),
                "Failed in": _some(attempts["stage"]),
            }
        )
    return styled_table(pd.DataFrame(rows).astype(str).map(escape), "attempts")


def _milliseconds(time_s: float) -> str:
    return "–" if math.isnan(time_s) else f"{1e3 * time_s:.1f} ms"


def _some(words: "pd.Series[str]") -> str:
    """Return the different words, in order of their first occurrence."""
    return ", ".join(word for word in words.unique() if word) or "–"


def _range(times_s: "pd.Series[float]") -> str:
    if times_s.empty:
        return "–"
    return f"{times_s.median():.2f} s ({times_s.min():.2f}–{times_s.max():.2f})"
