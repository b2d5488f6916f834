"""Further tables for latency on the kernel's network: its links, and the bounds of each path.

A process carries the packets of each link with a delay. The latency it adds is in every figure, and
these tables show how much it is.
"""

from collections.abc import Mapping
from html import escape

import pandas as pd
from IPython.display import HTML

from jamlab.measure.across_networks.kernel_record import KernelRecord, bounds_table
from jamlab.measure.latency.routes import taken
from jamlab.measure.record import Record
from jamlab.report.page.tables import literal_html, styled_table

_MICRO = 1e6


def tables(records: dict[str, KernelRecord]) -> HTML:
    """Return the added latency, the packet counts of the links, and each path's bounds."""
    parts = [
        *links(records),
        "<h2>Bounds of each path</h2>",
        f"<p>{escape(_BOUNDS_WORDS)}</p>",
        bounds(records),
    ]
    return literal_html("".join(parts))


def links(records: Mapping[str, Record]) -> list[str]:
    """Return the part of a page on the added latency and the packet counts of the links."""
    return [
        "<h2>Latency added by the links</h2>",
        f"<p>{escape(added_sentence(records))}</p>",
        carrier_table(records),
    ]


_BOUNDS_WORDS = (
    "All participants share one clock, so a latency here is a figure. With two unknown clocks "
    "the measurement would give the interval; the figure has to lie in it, and above the least "
    "possible latency: packet, look-ahead, a block and the links' delay."
)


def added_sentence(records: Mapping[str, Record]) -> str:
    """Return the delay that carrying packets in user space adds, and how it was measured."""
    provenance = next(iter(records.values())).provenance
    added = provenance["added"]
    why = "The kernel has netem, but its jitter is distributed differently"
    if provenance["no_netem"] is not None:
        why = f"The kernel has no netem: {provenance['no_netem']}"
    return (
        f"{why}; so processes carry the packets. "
        f"A datagram takes {_us(added['cable_median_s'])} between two namespaces (median; 99th "
        f"percentile {_us(added['cable_p99_s'])}). A link that a process carries takes "
        f"{_us(added['carried_median_s'])} more ({_us(added['carried_p99_s'])}), and one that "
        f"delays by {added['delay_s'] * 1000:g} ms takes {_us(added['delayed_median_s'])} "
        f"({_us(added['delayed_p99_s'])}) more than that delay, at least {_us(added['least_s'])}: "
        f"from {2 * added['probes']} datagrams each, before the run. A path has two links."
    )


def _us(seconds: float) -> str:
    return f"{seconds * _MICRO:.0f} µs"


def carrier_table(records: Mapping[str, Record]) -> str:
    """Return a row per case and link: packets, losses, and lateness of their sending."""
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
        return "<p>All links of this run were plain cables.</p>"
    return _html(pd.DataFrame(rows), "carriers")


def bounds(records: dict[str, KernelRecord]) -> str:
    """Return a row per case and ordered pair: the route, the latency, and its bounds."""
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
