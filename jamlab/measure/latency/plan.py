"""The plan of a latency run: its parameters and their ranges, and the stretches of its sessions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jamlab.audio.card import LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES, VirtualCard
from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.delay import (
    DEFAULT_BOUNDS,
    LEAST_DELAY_S,
    LONGEST_DELAY_S,
    DelayBounds,
)
from jamlab.media.quality import LOW_LATENCY, quality_named

ONE_WAY, ROUND_TRIP = "one way", "round trip"

MIN_PEERS, MAX_PEERS = 2, 6
"""Numbers of participants that can be measured."""

MAX_LATENCY_S = 1.0
"""Longest latency that is found: each click is sought for this long after its emission."""

MAX_SESSIONS = 50
DELAY_RANGE_MS = 1000 * LEAST_DELAY_S, 1000 * LONGEST_DELAY_S
LEAST_SESSION_S = 1.0
"""Shortest measurement in a session."""

_GAP_S = 0.1  # between measurements, for packets under way to arrive
_ECHO_S = 0.5  # the echo continues for this long after the last click that counts


class PlanError(ValueError):
    """Raised for a plan that cannot be run."""


@dataclass(frozen=True)
class LatencyPlan:
    """Parameters of a latency run.

    Raises `PlanError`, which names parameter and range, when one is out of range, and
    `UnsupportedQualityError`.

    Parameters
    ----------
    peers : int
        Participants of the mesh, 2 to 6.
    quality : str
        Name of the quality at which every participant sends.
    duration_s : float
        Length of the one-way measurement, in which all participants click; all sessions together.
    round_trip_s : float
        Length of each round-trip measurement, all sessions together; there is one per participant,
        in which it echoes. 0 leaves them out.
    settle_s : float
        Time for the playout buffers to adapt to the jitter, at the beginning of each session.
    bpm : float
        Tempo of the metronomes. The default beat is not a whole number of blocks or Opus frames:
        with such a beat all clicks would fall into the same phase of both.
    block_frames : int
        Block size of the virtual sound cards.
    sessions : int
        Number of sessions; in each, all participants connect anew and are measured.
    max_concealed_percent : float
        Limit of the share of a path's sound that is concealed.
    accepted_percent : float
        Concealed sound for which the playout buffers aim, in percent.
    most_delay_ms : float
        Largest delay that a playout buffer adds to the least one.
    equal_latency : bool
        Whether every peer is heard as late as the slowest path of the session.

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
    accepted_percent: float = 100 * DEFAULT_BOUNDS.accepted_share
    most_delay_ms: float = 1000 * DEFAULT_BOUNDS.most_delay_s
    equal_latency: bool = False

    def __post_init__(self) -> None:
        quality_named(self.quality)
        check_range("peers", self.peers, MIN_PEERS, MAX_PEERS)
        check_range("sessions", self.sessions, 1, MAX_SESSIONS)
        least_s = LEAST_SESSION_S * self.sessions
        check_range("duration_s", self.duration_s, least_s, 600.0)
        if self.round_trip_s != 0:
            check_range("round_trip_s", self.round_trip_s, least_s, 600.0)
        check_range("settle_s", self.settle_s, 1.0, 60.0)
        check_range("bpm", self.bpm, 30.0, 600.0)
        check_range("block_frames", self.block_frames, LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES)
        check_range("max_concealed_percent", self.max_concealed_percent, 0.01, 50.0)
        check_range("accepted_percent", self.accepted_percent, 0.01, 50.0)
        check_range("most_delay_ms", self.most_delay_ms, *DELAY_RANGE_MS)

    @property
    def delay_bounds(self) -> DelayBounds:
        """Bounds of the playout buffers."""
        return DelayBounds(self.accepted_percent / 100, self.most_delay_ms / 1000)

    @property
    def total_s(self) -> float:
        """Playing time of all sessions, without the time to connect."""
        return self.sessions * self.settle_s + self.duration_s + self.peers * self.round_trip_s

    @property
    def names(self) -> list[str]:
        """The participants' names."""
        return [f"player {number + 1}" for number in range(self.peers)]

    def metronomes(self) -> dict[str, Metronome]:
        """Return each participant's metronome: a voice each, the clicks spread over a beat."""
        beat_s = 60 / self.bpm
        return {
            name: Metronome(self.bpm, voice, first_s=0.25 + beat_s * voice / self.peers)
            for voice, name in enumerate(self.names)
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters for a record."""
        return asdict(self)


@dataclass(frozen=True)
class Stretch:
    """A stretch of a session in which one kind of path is measured."""

    measurement: str
    """`ONE_WAY` or `ROUND_TRIP`."""
    echoing: str
    """Name of the participant that echoes what it hears; empty one way."""
    duration_s: float
    """Time in which the clicks count."""
    tail_s: float
    """Time after that in which their sound may still be under way."""

    @property
    def lasts_s(self) -> float:
        """Time from the beginning of the stretch to its end."""
        return _GAP_S + self.duration_s + self.tail_s

    def span(self, card: VirtualCard, begun_s: float) -> tuple[int, int]:
        """Return a card's frames between which clicks count, for a stretch begun at a time."""
        start = int(card.frame_at(begun_s)) + int(_GAP_S * SAMPLE_RATE)
        return start, start + int(self.duration_s * SAMPLE_RATE)

    def last_frame(self, span: tuple[int, int]) -> int:
        """Return the last frame of the stretch, for the frames in which clicks count."""
        return span[1] + int(self.tail_s * SAMPLE_RATE)

    def pairs(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Return the measured pairs of emitter and peer, among participants with these names."""
        return [(a, b) for a in names for b in names if a != b and self.echoing in ("", b)]

    def row(self, session: int) -> dict[str, Any]:
        """Return the columns that name the stretch in the table of streams."""
        return {"session": session, "measurement": self.measurement, "echoing": self.echoing}


def stretches(plan: LatencyPlan) -> list[Stretch]:
    """Return the stretches of each session of a plan, one way first."""
    alone = plan.round_trip_s == 0
    one_way_s, round_trip_s = plan.duration_s / plan.sessions, plan.round_trip_s / plan.sessions
    first = Stretch(ONE_WAY, "", one_way_s, MAX_LATENCY_S if alone else _GAP_S)
    echoes = [Stretch(ROUND_TRIP, name, round_trip_s, _ECHO_S) for name in plan.names]
    return [first] if alone else [first, *echoes]


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise `PlanError` when a parameter is below `low` or above `high`."""
    if not low <= value <= high:
        raise PlanError(f"{name} is {value:g}: choose {low:g} to {high:g}")
