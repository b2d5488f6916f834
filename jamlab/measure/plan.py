"""What a latency run is to do."""

from dataclasses import asdict, dataclass
from typing import Any

from jamlab.audio.metronome import Metronome
from jamlab.media.quality import LOW_LATENCY, quality_named

MIN_PEERS, MAX_PEERS = 2, 6
"""Sizes of a jam."""

MAX_LATENCY_S = 1.0
"""The longest latency looked for; a click is sought for so long after it was emitted."""


class PlanError(ValueError):
    """A run that cannot be done as asked."""


@dataclass(frozen=True)
class LatencyPlan:
    """Parameters of a latency run.

    Parameters
    ----------
    peers : int
        Participants of the mesh, 2 to 6.
    quality : str
        Name of the quality everybody sends.
    duration_s : float
        Length of the one-way measurement, in which everybody clicks.
    round_trip_s : float
        Length of each round-trip measurement; there is one per participant, who echoes.
    settle_s : float
        Time for the playout buffers to learn the jitter, before anything counts.
    bpm : float
        Tempo of the metronomes.
    block_frames : int
        Block size of the virtual sound cards.

    Raises
    ------
    PlanError
        Names the parameter and its range.
    UnsupportedQualityError
        When there is no such quality.
    """

    peers: int = 2
    quality: str = LOW_LATENCY.name
    duration_s: float = 20.0
    round_trip_s: float = 10.0
    settle_s: float = 4.0
    bpm: float = 480.0
    block_frames: int = 64

    def __post_init__(self) -> None:
        quality_named(self.quality)
        _check("peers", self.peers, MIN_PEERS, MAX_PEERS)
        _check("duration_s", self.duration_s, 3.0, 600.0)
        _check("round_trip_s", self.round_trip_s, 3.0, 600.0)
        _check("settle_s", self.settle_s, 1.0, 60.0)
        _check("bpm", self.bpm, 30.0, 600.0)
        _check("block_frames", self.block_frames, 16, 4096)

    @property
    def total_s(self) -> float:
        """How long the run takes once the mesh is connected."""
        return self.settle_s + self.duration_s + self.peers * self.round_trip_s

    @property
    def names(self) -> list[str]:
        """The participants' names."""
        return [f"player {number + 1}" for number in range(self.peers)]

    def metronomes(self) -> dict[str, Metronome]:
        """Return everybody's metronome: one voice each, their beats spread over one beat."""
        beat_s = 60 / self.bpm
        return {
            name: Metronome(self.bpm, voice, first_s=0.25 + beat_s * voice / self.peers)
            for voice, name in enumerate(self.names)
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters for a record."""
        return asdict(self)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise PlanError(f"{name} is {value:g}: choose {low:g} to {high:g}")
