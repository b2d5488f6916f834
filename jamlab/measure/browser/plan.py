"""The plan of a measurement of browsers: its parameters and their ranges."""

from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from jamlab.audio.metronome import Metronome
from jamlab.audio_graph.plan import PERIODS
from jamlab.measure.browser.levers import levers_named
from jamlab.measure.latency.plan import (
    MAX_PEERS,
    MAX_SESSIONS,
    MIN_PEERS,
    PlanError,
    check_range,
)

INJECTED, SYSTEM = "injected", "system"
WAYS = (INJECTED, SYSTEM)
"""Ways to measure: inside the page, or through the audio system."""

_SCHEMES = ("http://", "https://", "file://")


@dataclass(frozen=True)
class BrowserPlan:
    """Parameters of a measurement of browsers.

    Raises `PlanError`, which names parameter and range, when one is out of range.

    Parameters
    ----------
    url : str
        Address of the application; ``{player}`` in it stands for the player's name, ``{session}``
        for the session's number. "" for jamlab's reference client, served here.
    peers : int
        Number of players, 2 to 6; each has a browser.
    steps : str
        Path of a Python file with ``async def join(page, player)``, the way into a room; "" when
        the address suffices or somebody joins by hand.
    browser : str
        One of `jamlab.browsers.installed.NAMES`; "" for the first that is installed.
    visible : bool
        Whether the browsers have windows.
    audio : str
        One of `WAYS`.
    period_frames : int
        Period of the audio system's graph; inside the page there is none.
    duration_s : float
        Length of the measurement, all sessions together.
    settle_s : float
        Time for the browsers' buffers to adapt, at the beginning of each session.
    sessions : int
        Number of sessions; in each, all players join anew.
    join_timeout_s : float
        Longest time for all players to be connected.
    levers : tuple of str
        Names of changes to make to the page's calls, see `jamlab.measure.browser.levers`.
    bpm : float
        Tempo of the metronomes.
    target_ms : float
        Target of the one-way latency.
    max_concealed_percent : float
        Limit of the share of a path's sound that is concealed.

    Examples
    --------
    >>> BrowserPlan("https://example.org/?room=r&name={player}").address("player 2", 0)
    'https://example.org/?room=r&name=player%202'
    """

    url: str = ""
    peers: int = 2
    steps: str = ""
    browser: str = ""
    visible: bool = False
    audio: str = INJECTED
    period_frames: int = 128
    duration_s: float = 30.0
    settle_s: float = 5.0
    sessions: int = 3
    join_timeout_s: float = 60.0
    levers: tuple[str, ...] = ()
    bpm: float = 590.0
    target_ms: float = 50.0
    max_concealed_percent: float = 0.5

    def __post_init__(self) -> None:
        if self.url and not self.url.startswith(_SCHEMES):
            raise PlanError(f"the URL is {self.url!r}: begin it with https:// or http://")
        if self.audio not in WAYS:
            raise PlanError(f"audio is {self.audio!r}: choose {' or '.join(WAYS)}")
        levers_named(self.levers)
        check_range("peers", self.peers, MIN_PEERS, MAX_PEERS)
        check_range("sessions", self.sessions, 1, MAX_SESSIONS)
        if self.period_frames not in PERIODS:
            raise PlanError(
                f"period_frames is {self.period_frames}: choose {', '.join(map(str, PERIODS))}"
            )
        check_range("duration_s", self.duration_s, 2.0 * self.sessions, 600.0)
        check_range("settle_s", self.settle_s, 0.0, 120.0)
        check_range("join_timeout_s", self.join_timeout_s, 1.0, 3600.0)
        check_range("bpm", self.bpm, 30.0, 600.0)
        check_range("target_ms", self.target_ms, 1.0, 10_000.0)
        check_range("max_concealed_percent", self.max_concealed_percent, 0.01, 50.0)

    @property
    def session_s(self) -> float:
        """Length of the measurement in a session."""
        return self.duration_s / self.sessions

    @property
    def players(self) -> list[str]:
        """The players' names."""
        return [f"player {number + 1}" for number in range(self.peers)]

    def address(self, player: str, session: int) -> str:
        """Return the address that a player opens in a session."""
        return self.url.replace("{player}", quote(player)).replace("{session}", str(session))

    def metronomes(self) -> dict[str, Metronome]:
        """Return each player's metronome: a voice each, the clicks spread over a beat."""
        beat_s = 60 / self.bpm
        return {
            player: Metronome(self.bpm, voice, first_s=0.25 + beat_s * voice / self.peers)
            for voice, player in enumerate(self.players)
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters for a record."""
        return asdict(self)
