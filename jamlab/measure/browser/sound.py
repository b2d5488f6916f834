"""The sound of a session: every player's clicks and recording, whatever way they are taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from jamlab.measure.browser.click_paths import Ear, Mouth
from jamlab.measure.browser.players import Player


@dataclass(frozen=True)
class Sound:
    """The sound of one player: its clicks and its recordings.

    `error_s` is the largest error of its times, `pauses_s` the longest time for which its audio
    stood still, `own_delay_s` the delay of the rig, which was taken off.
    """

    mouth: Mouth
    ears: Sequence[Ear]
    error_s: float = 0.0
    pauses_s: float = 0.0
    own_delay_s: float = 0.0
    remarks: Sequence[str] = field(default=())


class Audio(Protocol):
    """A way to give players clicks and to record them."""

    injected: bool
    """Whether the pages get the clicks from the instrument."""

    @property
    def environments(self) -> Mapping[str, Mapping[str, str]]:
        """The environment variables of each player's browser."""

    async def play(self, players: Sequence[Player], seconds: float) -> None:
        """Begin to play every player's clicks."""

    async def record(self, seconds: float) -> tuple[float, Mapping[str, Sound]]:
        """Record all players for a time; return when that began, and their sounds."""
