"""Verdicts on browsers across networks, one on latency and one on concealed sound a case."""

from collections.abc import Mapping

from jamlab.measure.browser.verdicts import concealed_verdict, latency_verdict
from jamlab.measure.browser_networks.record import BrowserNetworkRecord
from jamlab.measure.verdict import Verdict


def browser_networks_verdicts(records: Mapping[str, BrowserNetworkRecord]) -> list[Verdict]:
    """Return two verdicts a case: on its worst path's one-way latency, and on concealed sound.

    A case whose packets took another route than planned is INCONCLUSIVE.
    """
    latencies = [
        latency_verdict(record, f"one-way latency between browsers over {name}")
        for name, record in records.items()
    ]
    concealed = [
        concealed_verdict(record, f"concealed sound between browsers over {name}")
        for name, record in records.items()
    ]
    return latencies + concealed
