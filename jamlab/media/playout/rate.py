"""The rate of our sound card relative to the sender's: the interface, and the case of equal rates.

`Playout` has one clock: the number of the sender's frames that it has returned. A `CardRate`
converts between that clock and the card's, and alone counts the card's frames. `SameRate` is for
cards of the same rate, `jamlab.media.playout.follower.FollowedRate` for any two cards.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from jamlab.audio.pcm import Block
from jamlab.media.playout.packets import Packet

Take: TypeAlias = Callable[[int], Block]
"""Returns the sender's next frames, in the number asked for."""
Surplus: TypeAlias = Callable[[], int]
"""Returns the frames of delay above the target; a shortage is below 0."""


class CardRate(Protocol):
    """The interface between a playout and the rate of its card."""

    @property
    def card_frames(self) -> int:
        """Frames the card has played or missed so far."""

    @property
    def drift(self) -> float | None:
        """Frames the sender's card gains for each frame of ours; None while unknown."""

    def read(self, frames: int, take: Take, surplus: Surplus) -> tuple[Block, int, int]:
        """Return the card's next block, made of the source's frames.

        Returns
        -------
        block : Block
            Shape ``(frames, 2)``.
        mended : int
            Extra frames taken to change the delay; below 0 for fewer. No time passed for them, so
            they are subtracted from the playout's clock again.
        stopped : int
            Length of a newly found gap of the card: packets need that much less delay.
        """

    def observe(self, packet: Packet) -> None:
        """Note the arrival of a packet."""

    def allowance(self, packet: Packet) -> int:
        """Return the frames by which to raise the delay that a packet needed."""

    def output_frame(self, frame: int) -> int:
        """Return the card's frame that plays a frame of the playout's clock."""

    def mends(self, surplus: Surplus) -> bool:
        """Return whether `read` corrects the present surplus, so that no splice is needed."""

    def reset(self) -> None:
        """Forget the sender; a new one begins."""


class SameRate:
    """The rate of a card as fast as the sender's: every frame is played unaltered."""

    drift = None

    def __init__(self) -> None:
        self.card_frames = 0

    def read(self, frames: int, take: Take, surplus: Surplus) -> tuple[Block, int, int]:
        """Return the source's block unaltered; the rate corrects nothing."""
        block = take(frames)
        self.card_frames += frames
        return block, 0, 0

    def observe(self, packet: Packet) -> None:
        """Do nothing: the rate is known."""

    def allowance(self, packet: Packet) -> int:
        """Return 0: a packet keeps its place between two callbacks."""
        return 0

    def output_frame(self, frame: int) -> int:
        """Return the same frame."""
        return frame

    def mends(self, surplus: Surplus) -> bool:
        """Return False: splices make all corrections."""
        return False

    def reset(self) -> None:
        """Do nothing: there is no state of the sender."""
