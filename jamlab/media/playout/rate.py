"""How fast our sound card takes the frames of a sender's, and what follows from it for a playout.

`Playout` has one clock: the frames of the sender's that it gave out. A `CardRate` stands between
that and the card, and is the only one that counts the card's frames. `SameRate` is for cards that
run alike, `jamlab.media.playout.follower.FollowedRate` for any two.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from jamlab.audio.pcm import Block
from jamlab.media.playout.packets import Packet

Take: TypeAlias = Callable[[int], Block]
"""Gives the next so many frames of the sender's."""
Surplus: TypeAlias = Callable[[], int]
"""Tells by how many frames the delay is above its target; below 0, a shortage."""


class CardRate(Protocol):
    """What a playout asks of the rate of its card."""

    @property
    def card_frames(self) -> int:
        """Frames the card has taken so far, or missed."""

    @property
    def drift(self) -> float | None:
        """Frames the sender's card gains on ours with each of ours; None while that is unknown."""

    def read(self, frames: int, take: Take, surplus: Surplus) -> tuple[Block, int, int]:
        """Make the card's next block.

        Parameters
        ----------
        frames : int
            Length of the block.
        take : callable
            Its source.
        surplus : callable
            Tells what the delay has too much.

        Returns
        -------
        block : Block
            Shape ``(frames, 2)``.
        mended : int
            Frames that were taken to change the delay, below 0 where so many fewer were. They are
            no time that went by, so they come off the playout's clock again.
        stopped : int
            Frames that the card is now known to have let go by: packets need so much less delay.
        """

    def observe(self, packet: Packet) -> None:
        """Take note of a packet when it comes."""

    def allowance(self, packet: Packet) -> int:
        """Return what a packet's need has to be raised by, in frames."""

    def output_frame(self, frame: int) -> int:
        """Return at which frame of the card a frame of the playout's clock is played."""

    def mends(self, surplus: Surplus) -> bool:
        """Return whether `read` mends the surplus there is, so that no splice has to."""

    def reset(self) -> None:
        """Forget the sender, for a new one begins."""


class SameRate:
    """The rate of a card that runs like the sender's: every frame is played as it is."""

    drift = None

    def __init__(self) -> None:
        self.card_frames = 0

    def read(self, frames: int, take: Take, surplus: Surplus) -> tuple[Block, int, int]:
        """Return the source's own block; nothing is mended by rate."""
        block = take(frames)
        self.card_frames += frames
        return block, 0, 0

    def observe(self, packet: Packet) -> None:
        """Ignore it: no rate is looked for."""

    def allowance(self, packet: Packet) -> int:
        """Return 0: a packet keeps its place between two callbacks."""
        return 0

    def output_frame(self, frame: int) -> int:
        """Return the same frame."""
        return frame

    def mends(self, surplus: Surplus) -> bool:
        """Return False: splices mend everything."""
        return False

    def reset(self) -> None:
        """Do nothing: nothing was learned of the sender."""
