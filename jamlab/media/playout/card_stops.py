"""Detection of gaps in which a sound card neither captured nor played.

Theory of operation
-------------------
A card calls when a block is due, or later, never earlier. So the time of a call, minus the frames
requested by then, is the time of the card's frame 0 plus that call's lag, and the minimum of half a
second of calls is the time of frame 0. Apart from the drift of two clocks, that stays constant: a
loop that stalled catches up on all its calls. A card that stopped for a while does not (its driver
lost a block, another card replaced an unplugged one, the loop stalled for so long that blocks were
dropped): from then on its frame 0 seems later.

PulseAudio's calls wander by half a block, and no loop is always in time. Steps too small to be
distinguished from that add up until they are large enough: the reference origin moves back to the
earliest at once, and forward no faster than two clocks drift apart.
"""

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.drift import MAX_DRIFT

SLOT_S = 0.5
"""Length of the slots of calls whose minimum is taken."""
LEAST_S = 0.020
"""Shortest gap that counts."""


class StopDetector:
    """Detector of a card's gaps from the times of its calls. The time is passed in."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the card's origin, and with it all gaps until now."""
        self._origin_s: float | None = None
        self._slot_began_s: float | None = None
        self._least_s = 0.0

    def observe(self, now_s: float, card_frames: int) -> int:
        """Take a call of the card; return the length of a newly found gap in frames, or 0.

        `now_s` is by a monotonic clock; `card_frames` are those requested so far, with this call's.
        """
        began_s = now_s - card_frames / SAMPLE_RATE
        if self._slot_began_s is not None and now_s - self._slot_began_s < SLOT_S:
            self._least_s = min(self._least_s, began_s)
            return 0
        frames = 0 if self._slot_began_s is None else self._close_slot()
        self._slot_began_s, self._least_s = now_s, began_s
        return frames

    def _close_slot(self) -> int:
        if self._origin_s is None:
            self._origin_s = self._least_s
        moved_s = self._least_s - self._origin_s
        if moved_s >= LEAST_S:
            self._origin_s = self._least_s
            return round(moved_s * SAMPLE_RATE)
        self._origin_s += min(moved_s, MAX_DRIFT * SLOT_S)
        return 0
