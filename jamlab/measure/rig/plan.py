"""The plan of a measurement of programs: their commands, its parameters and their ranges."""

from dataclasses import asdict, dataclass
from typing import Any

from jamlab.audio.metronome import Metronome
from jamlab.audio_graph.plan import PERIODS
from jamlab.measure.latency.plan import (
    MAX_PEERS,
    MAX_SESSIONS,
    MIN_PEERS,
    PlanError,
    check_range,
)
from jamlab.measure.rig.commands import program_of, words_of

NAMES = ("ada", "ben", "cyn", "dan", "eva", "fay")
"""Names of the players, in the order of their commands."""

MAX_LATENCY_S = 1.5
"""Longest latency that is looked for, less than 18 beats: the codes of two clicks that far apart
differ by one turn from end to end, so that of a damaged one the rest is taken for the other."""


@dataclass(frozen=True)
class RigPlan:
    """Parameters of a measurement of programs.

    Raises `PlanError`, which names parameter and range, when one is out of range.

    Parameters
    ----------
    commands : tuple of str
        A command for each of 2 to 6 players, see `jamlab.measure.rig.commands.PLACES`.
    before : tuple of str
        Commands that run meanwhile and are no player's, e.g. a server.
    system : str
        Name of what is measured; "" for that of the first player's program.
    period_frames : int
        Period of the audio graph.
    duration_s : float
        Length of the measurement, all sessions together.
    settle_s : float
        Time for the programs' buffers to adapt, at the beginning of each session.
    sessions : int
        Number of sessions; in each, all programs start anew.
    join_timeout_s : float
        Longest time until every player is heard by every other.
    bpm : float
        Tempo of the metronomes of two players; those of more are slower, so that clicks of equal
        latency never overlap.
    target_ms : float
        Target of the one-way latency.
    max_damaged_percent : float
        Limit of the share of a path's clicks that are missing or damaged.

    Examples
    --------
    >>> plan = RigPlan(("jacktrip -s", "jacktrip -c localhost"))
    >>> plan.name, plan.players
    ('jacktrip', ('ada', 'ben'))
    """

    commands: tuple[str, ...]
    before: tuple[str, ...] = ()
    system: str = ""
    period_frames: int = 128
    duration_s: float = 30.0
    settle_s: float = 5.0
    sessions: int = 3
    join_timeout_s: float = 60.0
    bpm: float = 590.0
    target_ms: float = 50.0
    max_damaged_percent: float = 5.0

    def __post_init__(self) -> None:
        if not MIN_PEERS <= len(self.commands) <= MAX_PEERS:
            raise PlanError(
                f"there are commands for {len(self.commands)} players: choose {MIN_PEERS} to "
                f"{MAX_PEERS}"
            )
        for command in (*self.commands, *self.before):
            words_of(command)
        if self.period_frames not in PERIODS:
            raise PlanError(
                f"period_frames is {self.period_frames}: choose {', '.join(map(str, PERIODS))}"
            )
        check_range("sessions", self.sessions, 1, MAX_SESSIONS)
        check_range("duration_s", self.duration_s, 2.0 * self.sessions, 600.0)
        check_range("settle_s", self.settle_s, 0.0, 120.0)
        check_range("join_timeout_s", self.join_timeout_s, 1.0, 3600.0)
        check_range("bpm", self.bpm, 30.0, 600.0)
        check_range("target_ms", self.target_ms, 1.0, 10_000.0)
        check_range("max_damaged_percent", self.max_damaged_percent, 0.01, 50.0)

    @property
    def name(self) -> str:
        """The name of what is measured."""
        return self.system or program_of(self.commands[0])

    @property
    def players(self) -> tuple[str, ...]:
        """The players' names."""
        return NAMES[: len(self.commands)]

    @property
    def session_s(self) -> float:
        """Length of the measurement in a session."""
        return self.duration_s / self.sessions

    def peer(self, player: str) -> str:
        """Return the name of the player after this one, the first after the last."""
        return self.players[(self.players.index(player) + 1) % len(self.players)]

    def metronomes(self, first_voice: int = 0) -> dict[str, Metronome]:
        """Return each player's metronome: a voice each, the clicks spread over a beat."""
        count = len(self.players)
        bpm = self.bpm * MIN_PEERS / count
        return {
            player: Metronome(bpm, first_voice + number, first_s=0.25 + 60 / bpm * number / count)
            for number, player in enumerate(self.players)
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters for a record."""
        return {
            **asdict(self),
            "system": self.name,
            "commands": list(self.commands),
            "before": list(self.before),
        }
