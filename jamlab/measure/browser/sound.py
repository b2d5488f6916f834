"""Ways to give players clicks and to hear them: the interface, and what it returns."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from jamlab.measure.browser.players import Player


@dataclass(frozen=True, slots=True)
class HeardClick:
    """A click that a player emitted, and when another heard it."""

    sender: str
    receiver: str
    click: int
    emitted_s: float
    """Since the measurement began."""
    latency_s: float
    """NaN when it was not heard."""
    confidence: float


@dataclass(frozen=True)
class Heard:
    """The clicks of a session.

    `error_s` is the largest error that the latencies have alike, `pauses_s` the longest time for
    which audio stood still, `own_delay_s` the delay of the rig, which was taken off.
    """

    clicks: Sequence[HeardClick]
    error_s: float
    pauses_s: float
    own_delay_s: float = 0.0
    remarks: Sequence[str] = field(default=())


def deaf_remarks(clicks: Sequence[HeardClick]) -> list[str]:
    """Return a remark on each receiver that heard no click at all, of anybody.

    Examples
    --------
    >>> deaf_remarks([HeardClick("ada", "bo", 0, 0.1, float("nan"), 0.0)])
    ['the page of bo played no sound of the others']
    """
    receivers = dict.fromkeys(each.receiver for each in clicks)
    heard = {each.receiver for each in clicks if not math.isnan(each.latency_s)}
    return [
        f"the page of {name} played no sound of the others"
        for name in receivers
        if name not in heard
    ]


class Audio(Protocol):
    """A way to give players clicks and to record them."""

    injected: bool
    """Whether the pages get the clicks from the instrument."""
    environments: Mapping[str, Mapping[str, str]]
    """The environment variables of each player's browser."""
    microphones: Mapping[str, str]
    """The label of each player's microphone, where a page has to be given it."""

    async def play(self, players: Sequence[Player], seconds: float) -> None:
        """Begin to play every player's clicks, for a time."""

    async def hear(self, seconds: float) -> Heard:
        """Find the clicks that are emitted in a time, from now on."""
