"""What an audio graph consists of: its players, their virtual devices and its period."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

MOST_PLAYERS = 6
PERIODS = 64, 128, 256, 512, 1024
"""Periods to choose from, in frames."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")


class AudioGraphError(RuntimeError):
    """An audio graph cannot be had here, or does not work; has the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class GraphPlan:
    """Players and period of an audio graph; raises `AudioGraphError` when a value is invalid.

    Examples
    --------
    >>> GraphPlan(("ada", "ben")).period_frames
    128
    >>> microphone("ada"), loudspeaker("ben")
    ('ada-microphone', 'ben-loudspeaker')
    """

    players: Sequence[str]
    period_frames: int = 128

    def __post_init__(self) -> None:
        names = list(self.players)
        if not 1 <= len(names) <= MOST_PLAYERS or len(set(names)) < len(names):
            raise AudioGraphError(
                f"the players are {names}: name 1 to {MOST_PLAYERS}, each differently"
            )
        for name in names:
            if not _NAME.fullmatch(name):
                raise AudioGraphError(
                    f"a player is called {name!r}: use at most 31 letters, digits, - and _, "
                    "the first of them a letter"
                )
        if self.period_frames not in PERIODS:
            raise AudioGraphError(
                f"the period is {self.period_frames} frames: choose one of "
                f"{', '.join(map(str, PERIODS))}"
            )

    def check_player(self, name: str) -> None:
        """Raise `AudioGraphError` when no player has this name."""
        if name not in self.players:
            raise AudioGraphError(f"no player is called {name!r}: choose {', '.join(self.players)}")


def microphone(player: str) -> str:
    """Return the node's name of a player's virtual microphone."""
    return f"{player}-microphone"


def loudspeaker(player: str) -> str:
    """Return the node's name of a player's virtual loudspeaker."""
    return f"{player}-loudspeaker"


CHANNELS = "FL", "FR"


def microphone_inputs(player: str) -> list[str]:
    """Return the ports into which the sound for a player's microphone goes."""
    return [f"{microphone(player)}:input_{channel}" for channel in CHANNELS]


def mouths(player: str) -> list[str]:
    """Return the ports from which an application reads a player's microphone."""
    return [f"{microphone(player)}:capture_{channel}" for channel in CHANNELS]


def loudspeaker_inputs(player: str) -> list[str]:
    """Return the ports into which an application plays for a player's loudspeaker."""
    return [f"{loudspeaker(player)}:playback_{channel}" for channel in CHANNELS]


def ears(player: str) -> list[str]:
    """Return the ports that have the sound of a player's loudspeaker."""
    return [f"{loudspeaker(player)}:monitor_{channel}" for channel in CHANNELS]
