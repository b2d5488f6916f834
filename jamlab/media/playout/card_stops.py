"""How much time a sound card let go by, in which it neither captured nor played.

Theory of operation
-------------------
A card calls when a block is due, or later, never earlier. So the time of a call, less the frames it
has called for by then, is when its frame 0 was, plus that call's lag, and the least of half a
second of calls is when frame 0 was. That stays where it is, but for the drift of two clocks: a loop
that stalled calls for all it owes and is back where it was. A card that stopped for a while does
not (its driver lost a block, it was unplugged and another takes its place, the loop was away for
so long that blocks were dropped): from then on its frame 0 seems to have been later.

PulseAudio's calls wander by half a block, and no loop is always in time. Steps too small to tell
from that add up until they are not: the origin that calls are compared with goes back to the
earliest at once, and forward no faster than two clocks drift apart.
"""

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.drift import MAX_DRIFT

SLOT_S = 0.5
"""Calls of so long are taken together."""
LEAST_S = 0.020
"""Less is no lapse yet."""


class LapseDetector:
    """Watches when a card calls, and says what it let go by. The time is passed in."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget when the card began: what it let go by until now matters no more."""
        self._origin_s: float | None = None
        self._slot_began_s: float | None = None
        self._least_s = 0.0

    def observe(self, now_s: float, card_frames: int) -> int:
        """Take a call.

        Parameters
        ----------
        now_s : float
            When it came, by a clock that does not go back.
        card_frames : int
            Frames the card has called for, with this call's.

        Returns
        -------
        int
            Frames that are now known to have gone by without a call.
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
