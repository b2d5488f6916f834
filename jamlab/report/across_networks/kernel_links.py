"""Latency on the kernel's network, beside the figures that are judged: its links, and its bounds.

Where links do something, a process carries their packets; what that adds is in every figure, and
here it is said how much it is.
"""

from html import escape

import pandas as pd
from IPython.display import HTML

from jamlab.measure.across_networks.kernel_record import KernelRecord, bounds_table
from jamlab.measure.latency.routes import taken
from jamlab.report.page.tables import styled_table

_MICRO = 1e6


def tables(records: dict[str, KernelRecord]) -> HTML:
    """Return what carrying adds, what became of the links' packets, and each path's bounds."""
    parts = [
        "<h2>What the links themselves add</h2>",
        f"<p>{escape(added_sentence(records))}</p>",
        carrier_table(records),
        "<h2>What bounds each path</h2>",
        f"<p>{escape(_BOUNDS_WORDS)}</p>",
        bounds(records),
    ]
    return HTML("".join(parts))  # type: ignore[no-untyped-call]


_BOUNDS_WORDS = (
    "All players' clocks are one, so a latency here is a figure. Two clocks that nobody knows "
    "would have put it within the interval; it has to lie in it, and never below the least, which "
    "is packet, look-ahead, a block and the links' delay."
)


def added_sentence(records: dict[str, KernelRecord]) -> str:
    """Say what carrying packets in user space takes, with how it was measured, and why it is."""
    told = next(iter(records.values())).provenance
    added = told["added"]
    why = "The kernel has netem, whose jitter is another"
    if told["no_netem"] is not None:
        why = f"There is no netem: {told['no_netem']}"
    return (
        f"{why}; so packets are carried by processes. "
        f"A datagram takes {_us(added['cable_median_s'])} between two namespaces (median; 99th "
        f"percentile {_us(added['cable_p99_s'])}). A link that is carried by a process takes "
        f"{_us(added['carried_median_s'])} more ({_us(added['carried_p99_s'])}), and one that "
        f"delays by {added['delay_s'] * 1000:g} ms takes {_us(added['delayed_median_s'])} "
        f"({_us(added['delayed_p99_s'])}) more than that delay, at least {_us(added['least_s'])}: "
        f"of {2 * added['probes']} datagrams each, before the run. A path has two links."
    )


def _us(seconds: float) -> str:
    return f"{seconds * _MICRO:.0f} µs"


def carrier_table(records: dict[str, KernelRecord]) -> str:
    """Return a row per case and link: packets, losses, and how late they were put out."""
    rows = [
        {
            "Network": escape(name),
            "Link of": escape(link),
            "Packets": f"{sum(way['sent'] for way in ways)}",
            "Lost": f"{sum(way['lost'] for way in ways)}",
            "Dropped by its queue": f"{sum(way['dropped'] for way in ways)}",
            "Late, median": _us(max(way["late_median_s"] for way in ways)),
            "99th percentile": _us(max(way["late_p99_s"] for way in ways)),
            "Most": _us(max(way["late_max_s"] for way in ways)),
            "Real time": "yes" if report["real_time"] else "no",
        }
        for name, record in records.items()
        for link, report in record.provenance["links"].items()
        if report is not None
        for ways in [(report["up"], report["down"])]
    ]
    if not rows:
        return "<p>No link of this run did anything to packets.</p>"
    return _html(pd.DataFrame(rows), "carriers")


def bounds(records: dict[str, KernelRecord]) -> str:
    """Return a row per case and ordered pair: the way, the latency, and what bounds it."""
    rows = [
        {
            "Network": escape(name),
            "Path": escape(f"{row['sender']} → {row['receiver']}"),
            "Went": taken(record.provenance["routes"], row["sender"], row["receiver"]) or "unknown",
            "Least": f"{row['least_ms']:.1f} ms",
            "Quickest packet": f"{row['packet_ms']:.2f} ms",
            "Median": f"{row['median_ms']:.1f} ms",
            "Within": f"{row['one_way_min_ms']:.1f}–{row['one_way_max_ms']:.1f} ms",
        }
        for name, record in records.items()
        for row in bounds_table(record).to_dict("records")
    ]
    return _html(pd.DataFrame(rows), "bounds")


def _html(table: pd.DataFrame, name: str) -> str:
    return str(styled_table(table, name).to_html())
