"""What a latency run is to do."""

from dataclasses import asdict, dataclass
from typing import Any

from jamlab.audio.card import LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES
from jamlab.audio.metronome import Metronome
from jamlab.media.quality import LOW_LATENCY, quality_named

MIN_PEERS, MAX_PEERS = 2, 6
"""Sizes of a jam."""

MAX_LATENCY_S = 1.0
"""The longest latency looked for; a click is sought for so long after it was emitted."""

MAX_SESSIONS = 50
LEAST_SESSION_S = 1.0
"""Shortest measurement of a session."""


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
        Length of the one-way measurement, in which everybody clicks: all sessions together.
    round_trip_s : float
        Length of each round-trip measurement, all sessions together; there is one per participant,
        who echoes. 0 leaves them out.
    settle_s : float
        Time for the playout buffers to learn the jitter, in each session before anything counts.
    bpm : float
        Tempo of the metronomes. By default no beat is as long as some whole blocks or Opus frames,
        or all clicks would fall into the same phase of both.
    block_frames : int
        Block size of the virtual sound cards.
    sessions : int
        How often everybody connects anew and is measured.
    max_concealed_percent : float
        Bound of the share of sound that a path has to have concealed.

    Raises
    ------
    PlanError
        Names the parameter and its range.
    UnsupportedQualityError
        When there is no such quality.

    Examples
    --------
    >>> plan = LatencyPlan(peers=3)
    >>> plan.names
    ['player 1', 'player 2', 'player 3']
    >>> plan.total_s
    54.0
    >>> LatencyPlan(peers=7)
    Traceback (most recent call last):
        ...
    jamlab.measure.latency.plan.PlanError: peers is 7: choose 2 to 6
    """

    peers: int = 2
    quality: str = LOW_LATENCY.name
    duration_s: float = 12.0
    round_trip_s: float = 11.5
    settle_s: float = 1.5
    bpm: float = 590.0
    block_frames: int = 64
    sessions: int = 5
    max_concealed_percent: float = 0.5

    def __post_init__(self) -> None:
        quality_named(self.quality)
        _check("peers", self.peers, MIN_PEERS, MAX_PEERS)
        _check("sessions", self.sessions, 1, MAX_SESSIONS)
        least_s = LEAST_SESSION_S * self.sessions
        _check("duration_s", self.duration_s, least_s, 600.0)
        if self.round_trip_s != 0:
            _check("round_trip_s", self.round_trip_s, least_s, 600.0)
        _check("settle_s", self.settle_s, 1.0, 60.0)
        _check("bpm", self.bpm, 30.0, 600.0)
        _check("block_frames", self.block_frames, LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES)
        _check("max_concealed_percent", self.max_concealed_percent, 0.01, 50.0)

    @property
    def total_s(self) -> float:
        """How long clicks are played once the meshes are connected."""
        return self.sessions * self.settle_s + self.duration_s + self.peers * self.round_trip_s

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
