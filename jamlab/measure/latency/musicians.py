"""What a one-way latency means to people who play together, by published experiments.

The experiments delayed sound between two rooms, from one player's microphone to the other's ear. So
the figure to read here is the one from mouth to ear; where no sound card was measured, it is what
the network and the virtual cards take, and what players hear comes later than that.
"""

import math
from dataclasses import dataclass

from jamlab.measure.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Source:
    """A publication."""

    cited: str
    """As it is cited in a sentence."""
    title: str
    published: str
    """In what, and where it is found: a DOI, where it has one."""


GUREVICH = Source(
    "Gurevich et al. 2004",
    "Simulation of networked ensemble performance with varying time delays",
    "Proc. ICMC 2004, hdl:2027/spo.bbp2372.2004.098",
)
SCHUETT = Source(
    "Schuett 2002",
    "The effects of latency on ensemble performance",
    "thesis, CCRMA, Stanford University",
)
ROTTONDI = Source(
    "Rottondi et al. 2016",
    "An overview on networked music performance technologies",
    "IEEE Access 4, doi:10.1109/ACCESS.2016.2628440",
)
TSIOUTAS = Source(
    "Tsioutas & Xylomenos 2021",
    "Assessing the QoME of NMP via audio analysis tools",
    "Proc. SIGMAP 2021",
)
CAROT = Source(
    "Carôt & Werner 2009",
    "Fundamentals and principles of musical telepresence",
    "J. Science and Technology of the Arts 1(1), doi:10.7559/citarj.v1i1.6",
)
BARTLETTE = Source(
    "Bartlette et al. 2006",
    "Effect of network latency on interactive musical performance",
    "Music Perception 24(1), doi:10.1525/mp.2006.24.1.49",
)
SOURCES = (SCHUETT, GUREVICH, BARTLETTE, CAROT, ROTTONDI, TSIOUTAS)


@dataclass(frozen=True, slots=True)
class Band:
    """Latencies from the last band's end up to this one's that mean the same."""

    below_ms: float
    short: str
    """For a cell of a table."""
    words: str
    sources: tuple[Source, ...]


BANDS = (
    Band(
        11.5,
        "closer than on a stage",
        "The tempo tends to rise, as if the other one sat closer than on a stage.",
        (GUREVICH,),
    ),
    Band(
        20.0,
        "as in one room",
        "Below the ensemble threshold of 20 to 30 ms: players keep together as in one room.",
        (SCHUETT, ROTTONDI),
    ),
    Band(
        30.0,
        "at the ensemble threshold",
        "At the ensemble threshold: somewhere here keeping together begins to take an effort.",
        (SCHUETT, ROTTONDI),
    ),
    Band(
        40.0,
        "above the ensemble threshold; a steady tempo can be held",
        "Above the ensemble threshold; musicians have held a steady tempo up to 40 ms.",
        (SCHUETT, TSIOUTAS),
    ),
    Band(
        50.0,
        "above the ensemble threshold; “laid back” at best",
        "Above the ensemble threshold and above 40 ms; playing “laid back” bears it, up to about "
        "50 ms.",
        (SCHUETT, CAROT),
    ),
    Band(
        100.0,
        "far above the ensemble threshold",
        "Far above the ensemble threshold and above what playing “laid back” bears: no common "
        "beat.",
        (SCHUETT, CAROT),
    ),
    Band(
        math.inf,
        "everybody plays alone",
        "Players no longer keep together: everybody plays as an individual.",
        (BARTLETTE,),
    ),
)
"""From the shortest latency to the longest; one that is exactly at an end is in the next band."""


def band_of(latency_ms: float) -> Band:
    """Return the band of a latency."""
    return next((band for band in BANDS if latency_ms < band.below_ms), BANDS[-1])


def meaning(value_ms: float, low_ms: float, high_ms: float) -> str:
    """Say what a one-way latency means to musicians, in words that follow "To musicians:".

    Parameters
    ----------
    value_ms, low_ms, high_ms : float
        The figure and the ends of its interval. An interval that lies in several bands says so;
        where it is not known, the figure itself is taken, and that is said.
    """
    if math.isinf(low_ms) and low_ms < 0:
        band = band_of(value_ms)
        return f"{band.short}, if the figure is right, which has no interval ({_cited(band)})"
    low, high = band_of(low_ms), band_of(high_ms)
    if low is high:
        return f"{low.short} ({_cited(low)})"
    return f"between “{low.short}” and “{high.short}” ({_cited(low, high)})"


def of_verdict(verdict: Verdict) -> str:
    """Return what a measured one-way latency means to musicians; "" of any other verdict."""
    if "one-way latency" not in verdict.name or verdict.unit != "ms" or math.isnan(verdict.value):
        return ""
    return meaning(verdict.value, *verdict.interval)


def _cited(*bands: Band) -> str:
    sources = dict.fromkeys(source for band in bands for source in band.sources)
    return "; ".join(source.cited for source in sources)
