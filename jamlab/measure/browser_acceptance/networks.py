"""Acceptance test of browsers on different networks, in namespaces of the kernel."""

from itertools import combinations

from jamlab.measure.acceptance import browser_tests as named
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.across_networks.kernel import Case
from jamlab.measure.browser_networks.plan import BrowserNetworksPlan
from jamlab.measure.browser_networks.record import BrowserNetworkRecord
from jamlab.measure.browser_networks.run import measure_browser_case
from jamlab.measure.latency.routes import DIRECT, RELAYED, taken
from jamlab.measure.latency.worst_path import late_ms
from jamlab.measure.statistics import Estimate, p95, resampling
from jamlab.networks.kernel import coturn, namespace, tun

CASES = tuple(Case("same country", route) for route in (DIRECT, RELAYED))


def lacking() -> str | None:
    """Return why this machine cannot have such networks, and what to do; None if it can."""
    return namespace.unavailable() or tun.why_no_tun() or coturn.unavailable()


async def different_networks(duration_s: float = 12.0) -> Finding:
    """Measure two browsers in two homes, directly and by the relay.

    Raises as `measure_browser_case`.
    """
    finding = Finding(named.NETWORKS)
    plan = BrowserNetworksPlan(CASES, duration_s=duration_s)
    for case in CASES:
        note_case(finding, await measure_browser_case(case, plan))
    return finding


def note_case(finding: Finding, record: BrowserNetworkRecord) -> None:
    """Note latency, route and clicks heard of a case."""
    name, error_ms = record.name, record.provenance["error_ms"]
    for (sender, receiver), clicks in record.clicks.groupby(["sender", "receiver"], sort=False):
        subject = f"{name}, {sender} → {receiver}"
        found = p95(late_ms(clicks), resampling(), sessions=clicks["session"], among=2)
        wider = Estimate(found.value, found.low - error_ms, found.high + error_ms, found.confidence)
        finding.note(named.ACROSS, subject, wider)
        finding.note(named.HEARD, subject, 100 * float(clicks["latency_ms"].notna().mean()))
        finding.draw("latency", subject, clicks["emitted_s"], clicks["latency_ms"])
    routes = record.provenance["routes"]
    pairs = list(combinations(routes, 2))
    planned = [taken(routes, *pair) == record.provenance["route"] for pair in pairs]
    finding.note(named.PLANNED_ROUTE, name, 100 * sum(planned) / len(pairs))
    finding.note(named.PAUSES, name, record.provenance["pauses_ms"])
