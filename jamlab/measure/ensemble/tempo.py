"""What latencies do to the tempo: a model of musicians who correct what they hear, beat by beat.

Theory of operation
-------------------
Each musician plays a note a beat. The next interval between two of their own notes changes by a
part of its last change, and by a part of the *asynchrony* they hear: how much later than their own
note the others' arrive (the model of Cheston et al. 2024)::

    change of the next interval = own · last change + correction · Σ (asynchrony - expected)

The latency makes everybody hear the others late. All wait for each other, and the tempo falls, but
by far less than if they took the whole asynchrony for a fault: they have learnt to *expect* nearly
all of it. Without latency they hurry; at `COMFORTABLE_S` the tempo keeps (Gurevich et al. 2004). So
they expect that latency, and of the rest all but the share `unexpected`.

The parameters
--------------
- *own*, -0.3, and *correction*: with two musicians 0.5. Fitted to the performance that Cheston et
  al. publish with their code (duo 3, 90 ms), own is -0.28 and -0.31 (standard errors 0.05 and 0.06)
  and the correction 0.52 and 0.54 (0.07 and 0.08). In two string quartets it was near 1/N for each
  of the others, on average, which makes asynchronies least (Wing et al. 2014); so it is 1/N here.
- *unexpected*: in the same performance the interval grew by 1.15 ms a beat, which is a share of
  0.038. How much others differ is not published: the range from 0 to twice that is an assumption,
  and the outlook is an interval for that reason alone.

It is an outlook for an ensemble that listens to each other and has no click, and no measurement.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jamlab.measure.ensemble.latencies import EnsembleRecord, Latencies, latencies_of
from jamlab.measure.latency.musicians import Source
from jamlab.measure.latency.plan import check_range

CHESTON = Source(
    "Cheston et al. 2024",
    "Trade-offs in coordination strategies for duet jazz performances subject to network delay and "
    "jitter",
    "Music Perception 42(1), doi:10.1525/mp.2024.42.1.48",
)
WING = Source(
    "Wing et al. 2014",
    "Optimal feedback correction in string quartet synchronization",
    "J. R. Soc. Interface 11(93), doi:10.1098/rsif.2013.1125",
)

COMFORTABLE_S = 0.0115
"""Latency at which the tempo keeps (Gurevich et al. 2004)."""
OWN = -0.3
"""Part of the last change of the interval that the next change repeats."""
UNEXPECTED = 0.0, 0.076
"""Range of the share of a longer latency that musicians do not expect."""

PLAYED_S = 60.0
"""Length of the outlook."""
_SETTLED = 12  # beats until the ensemble has found together
_LONGEST_BEAT_S = 10.0


@dataclass(frozen=True)
class Outlook:
    """What the latencies of an ensemble do to its tempo; an interval of each figure."""

    bpm: float
    """Tempo at the beginning."""
    slope_bpm_min: tuple[float, float]
    """Change of the tempo in the first minute, in beats per minute; below 0 it falls."""
    late_ms: dict[str, tuple[float, float]]
    """How much later than the mean of all each musician plays; below 0 earlier."""


def tempo_outlook(record: EnsembleRecord, bpm: float = 120.0) -> Outlook | None:
    """Return the outlook for all participants of a record; None where a latency is not known.

    Raises `PlanError` for a tempo out of range.

    Examples
    --------
    >>> from jamlab import example_record
    >>> low, high = tempo_outlook(example_record()).slope_bpm_min
    >>> low <= 0 <= high < 2
    True
    """
    check_range("bpm", bpm, 30.0, 300.0)
    latencies = latencies_of(record)
    apart = ~np.eye(len(latencies.names), dtype=bool)
    if len(latencies.names) < 2 or not np.isfinite(latencies.high_ms[apart]).all():
        return None
    slopes = [
        slope_bpm_min(play(_seconds(ends), bpm, share))
        for ends in (latencies.low_ms, latencies.high_ms)
        for share in UNEXPECTED
    ]
    return Outlook(bpm, (min(slopes), max(slopes)), _late_ms(latencies, bpm))


def play(
    latency_s: NDArray[np.float64], bpm: float, unexpected: float, played_s: float = PLAYED_S
) -> NDArray[np.float64]:
    """Return the times of all notes, shape ``(beats, musicians)``, from beat 0 at 0 s on.

    `latency_s` has the latency from each musician (row) to each other (column).
    """
    count = len(latency_s)
    faults_s = unexpected * (latency_s - COMFORTABLE_S)
    np.fill_diagonal(faults_s, 0.0)
    change, interval, now = np.zeros(count), np.full(count, 60 / bpm), np.zeros(count)
    notes = [now]
    while now.max() < played_s and interval.max() < _LONGEST_BEAT_S:
        heard = now[:, np.newaxis] - now + faults_s  # beyond what is expected, by player and hearer
        change = OWN * change + heard.sum(axis=0) / count
        interval = interval + change
        now = now + interval
        notes.append(now)
    return np.array(notes)


def slope_bpm_min(notes: NDArray[np.float64]) -> float:
    """Return the change of the mean tempo per minute: the slope of a line through all beats."""
    middle = notes.mean(axis=1)[_SETTLED:]
    tempo = 60 / np.diff(middle)
    return float(60 * np.polyfit(middle[1:], tempo, 1)[0])


def _late_ms(latencies: Latencies, bpm: float) -> dict[str, tuple[float, float]]:
    """Return the ends of each musician's distance to the mean.

    A musician is latest where all others are heard late there, and all else is heard early.
    """
    late = {}
    for place, name in enumerate(latencies.names):
        least, most = latencies.high_ms.copy(), latencies.low_ms.copy()
        least[:, place], most[:, place] = latencies.low_ms[:, place], latencies.high_ms[:, place]
        ends = [
            _lateness_ms(play(_seconds(ms), bpm, share), place)
            for ms in (least, most)
            for share in UNEXPECTED
        ]
        late[name] = min(ends), max(ends)
    return late


def _lateness_ms(notes: NDArray[np.float64], place: int) -> float:
    apart = notes[_SETTLED:, place] - notes[_SETTLED:].mean(axis=1)
    return float(1000 * apart.mean())


def _seconds(ms: NDArray[np.float64]) -> NDArray[np.float64]:
    return ms / 1000
