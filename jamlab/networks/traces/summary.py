"""A trace in figures, beside those of the stall model that is fitted to it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from jamlab.networks.model.packet_trace import PACKET_BYTES, PacketTrace, delays_of
from jamlab.networks.model.stalls import StallModel, fit, stalls_of
from jamlab.networks.model.trace import DelayTrace

PERCENTILES = (0.0, 10.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0)
_NAMES = {0.0: "least delay", 50.0: "median delay", 100.0: "longest delay"}


@dataclass(frozen=True)
class Figure:
    """One figure of a trace, and the same of the model: None where it has none."""

    what: str
    unit: str
    trace: float | None
    model: float | None


@dataclass(frozen=True)
class Summary:
    """What a trace is like."""

    name: str
    notes: tuple[str, ...]
    figures: tuple[Figure, ...]
    model: StallModel

    def to_dict(self) -> dict[str, Any]:
        """Return the summary for JSON."""
        return asdict(self)


def summary_of(trace: PacketTrace, seed: int = 1) -> Summary:
    """Describe a trace; raises ValueError where too little of it arrived.

    Of delivery opportunities the delays are described that packets of sound would have. Figures are
    about packets at even intervals, in one round of the trace and ten of the model.
    """
    notes = trace.notes
    if not isinstance(trace, DelayTrace):
        notes = (
            *notes,
            f"delays are those of packets of {PACKET_BYTES} bytes at its opportunities",
        )
    delays = delays_of(trace)
    model = fit(delays)
    modelled = model.trace(np.random.default_rng(seed), 10 * delays.duration_s)
    least_s = float(np.nanmin(delays.delay_s))
    figures = tuple(_figures(delays, delays.evenly(model.every_s), modelled, least_s))
    return Summary(trace.name, notes, figures, model)


def _figures(
    trace: DelayTrace, even: DelayTrace, model: DelayTrace, least_s: float
) -> Iterator[Figure]:
    yield Figure("length", "s", trace.duration_s, None)
    yield Figure("packets", "", float(len(trace.sent_s)), None)
    yield Figure("lost", "%", 100 * float(np.mean(~trace.received)), None)
    delay_ms = even.delay_s[even.received] * 1000
    model_ms = (model.delay_s + least_s) * 1000
    yield Figure("mean delay", "ms", float(delay_ms.mean()), float(model_ms.mean()))
    for percent in PERCENTILES:
        found, expected = (float(np.percentile(each, percent)) for each in (delay_ms, model_ms))
        yield Figure(_NAMES.get(percent, f"{percent:g} % of delays up to"), "ms", found, expected)
    lengths_ms = [stalls_of(each)[1] * 1000 for each in (even, model)]
    rates = [60 * len(x) / y.duration_s for x, y in zip(lengths_ms, (even, model), strict=True)]
    yield Figure("stalls a minute", "", *rates)
    for name, share in (("median stall", 0.5), ("90 % of stalls up to", 0.9), ("longest stall", 1)):
        yield Figure(
            name, "ms", *(float(np.quantile(x, share)) if len(x) else None for x in lengths_ms)
        )
