"""The recording of an audio graph, put together from its cycles, and how punctual they were.

A cycle says on which frame of the graph's clock it begins, so each is placed where it belongs:
one that the recorder missed is silence in all channels, and moves nothing. A recorder so late that
the next cycle has begun reads that one's frame; the later block of the two is kept.

The clock is a timer, so frame *n* is due at a time that is a straight line in *n*; the earliest
cycle shows where it lies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.pcm import SAMPLE_RATE

BLOCKS, CYCLES = "blocks.f32", "cycles.i64"
"""Files of a recording: the cycles' sound, and their positions and the times of the calls (ns)."""

_WRAP = 1 << 32


@dataclass(frozen=True, slots=True)
class Punctuality:
    """How well the machine kept the graph's time during a recording."""

    cycles: int
    """Cycles that the recording should have."""
    missed_cycles: int
    """Cycles that the recorder was not called for; silence in every channel."""
    late_cycles: int
    """Cycles that the recorder was called for more than a period after they were due."""
    xruns: int
    """Times that the graph began a cycle before all of it was done with the one before."""
    worst_lateness_s: float
    """Longest time from when a cycle was due to the call of the recorder."""

    @property
    def disturbed(self) -> int:
        """Missed and late cycles and xruns: with any, the machine may have caused what is read."""
        return self.missed_cycles + self.late_cycles + self.xruns

    def __str__(self) -> str:
        return (
            f"{self.missed_cycles} of {self.cycles} cycles missed, {self.late_cycles} late, "
            f"{self.xruns} xruns"
        )


@dataclass(frozen=True)
class Recording:
    """Sound of all microphones and loudspeakers in the same time, frame 0 of all metronomes first.

    Each is one channel at 48 kHz, full scale ±1, by player. They come from the same cycles of the
    graph, so a frame's number means the same time in each of them.
    """

    mouths: Mapping[str, NDArray[np.float32]]
    """Each microphone, as an application reads it."""
    ears: Mapping[str, NDArray[np.float32]]
    """Each loudspeaker, as an application plays it."""
    punctuality: Punctuality

    @property
    def frames(self) -> int:
        """Length of every channel."""
        return len(next(iter(self.mouths.values())))


def frames_since(origin: int, position: int) -> int:
    """Return a position less another, both of them counters that wrap at 2³² frames."""
    return (position - origin + _WRAP // 2) % _WRAP - _WRAP // 2


def placed(
    blocks: NDArray[np.float32], positions: Sequence[int] | NDArray[np.int64], frames: int
) -> NDArray[np.float32]:
    """Return the channels, shape (channels, frames), from cycles at their positions.

    `blocks` has the shape (cycles, channels, period). What no cycle covers is silence.
    """
    _, channels, period = blocks.shape
    cycles = -(-frames // period)
    sound = np.zeros((channels, cycles, period), dtype=np.float32)
    sound[:, np.asarray(positions) // period] = blocks.transpose(1, 0, 2)
    return sound.reshape(channels, -1)[:, :frames]


def punctuality(
    positions: NDArray[np.int64], called_ns: NDArray[np.int64], period: int, frames: int, xruns: int
) -> Punctuality:
    """Judge the cycles of a recording by their positions and the times of the recorder's calls."""
    cycles = -(-frames // period)
    lateness_s = (called_ns - called_ns[:1]) / 1e9 - (positions - positions[:1]) / SAMPLE_RATE
    lateness_s = lateness_s - lateness_s.min(initial=0.0)
    return Punctuality(
        cycles=cycles,
        missed_cycles=cycles - len(np.unique(positions)),
        late_cycles=int(np.count_nonzero(lateness_s > period / SAMPLE_RATE)),
        xruns=xruns,
        worst_lateness_s=float(lateness_s.max(initial=0.0)),
    )
