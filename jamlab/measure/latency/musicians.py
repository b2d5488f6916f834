"""What a one-way latency means to musicians, according to published experiments.

The experiments delayed sound between two rooms, from one musician's microphone to the other's ear.
So the figure to compare is the latency from mouth to ear. Where no sound card was measured, the
figure has the network and virtual cards in it alone, and musicians hear each other later than that.
"""

import math
from dataclasses import dataclass

from jamlab.measure.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Source:
    """A publication."""

    cited: str
    """Its short form in a sentence."""
    title: str
    published: str
    """The journal, proceedings or school, with the DOI if there is one."""


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
    """A range of latencies with one meaning; it begins where the band before ends."""

    below_ms: float
    short: str
    """The meaning, short enough for a cell of a table."""
    words: str
    sources: tuple[Source, ...]


BANDS = (
    Band(
        11.5,
        "closer than on a stage",
        "The tempo tends to rise, as if the other musician sat closer than on a stage.",
        (GUREVICH,),
    ),
    Band(
        20.0,
        "as in one room",
        "Below the ensemble threshold of 20 to 30 ms: musicians keep together as in one room.",
        (SCHUETT, ROTTONDI),
    ),
    Band(
        30.0,
        "at the ensemble threshold",
        "At the ensemble threshold: in this range, keeping together begins to take an effort.",
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
        "Above the ensemble threshold and above 40 ms; “laid back” playing tolerates up to about "
        "50 ms.",
        (SCHUETT, CAROT),
    ),
    Band(
        100.0,
        "far above the ensemble threshold",
        "Far above the ensemble threshold and above what “laid back” playing tolerates: no common "
        "beat.",
        (SCHUETT, CAROT),
    ),
    Band(
        math.inf,
        "everyone plays alone",
        "Musicians no longer keep together: each plays alone.",
        (BARTLETTE,),
    ),
)
"""By rising latency; a latency exactly at a band's end is in the next band."""


def band_of(latency_ms: float) -> Band:
    """Return the band of a latency."""
    return next((band for band in BANDS if latency_ms < band.below_ms), BANDS[-1])


def meaning(value_ms: float, low_ms: float, high_ms: float) -> str:
    """Return what a one-way latency means to musicians, as words to follow "To musicians:".

    For an interval across several bands the words name the first and the last; without an interval
    they judge the figure alone, and say so.
    """
    if math.isinf(low_ms) and low_ms < 0:
        band = band_of(value_ms)
        return f"{band.short}, if the figure, which has no interval, is right ({_cited(band)})"
    low, high = band_of(low_ms), band_of(high_ms)
    if low is high:
        return f"{low.short} ({_cited(low)})"
    return f"between “{low.short}” and “{high.short}” ({_cited(low, high)})"


def of_verdict(verdict: Verdict) -> str:
    """Return what a verdict's one-way latency means to musicians; "" for any other verdict."""
    if "one-way latency" not in verdict.name or verdict.unit != "ms" or math.isnan(verdict.value):
        return ""
    return meaning(verdict.value, *verdict.interval)


def _cited(*bands: Band) -> str:
    sources = dict.fromkeys(source for band in bands for source in band.sources)
    return "; ".join(source.cited for source in sources)
