"""How long packets must wait: the smallest delay that is early enough for nearly all of them.

Each packet's *needed* delay is known once it has arrived (see `jamlab.media.playout`). Time is cut
into slots of 100 ms, the largest need of each slot of the last ten seconds is kept, and the target
is a high quantile of those maxima, plus a margin. Maxima of slots rather than single packets, for a
scheduling spike delays all packets of a few milliseconds, one or ten of them depending on their
length, and it is spikes that must be counted. A quantile rather than the largest, for a rare spike
must not be paid for with its own length by everything that follows; and not mean plus deviations,
for network delays have no deviation worth the name.

A step (a new route) differs from a spike in that no packet is spared. So when every one of the last
few packets needed more than that, the target is what the neediest of them needed, plus the margin.
"""

from collections import deque

from jamlab.audio.pcm import SAMPLE_RATE

SLOT_FRAMES = SAMPLE_RATE // 10
"""Length of a slot, in frames of the card's clock."""

_REMOVAL_INTERVAL = SAMPLE_RATE // 50


class DelayEstimator:
    """Watch what delay packets needed, and say what delay the next should have.

    Parameters
    ----------
    slots : int
        Number of slots remembered.
    ignored : int
        Number of remembered slots whose spikes are accepted as lost sound, but no more than a fifth
        of those seen so far. One stall often falls into two slots.
    settling_slots : int
        Number of slots at the start, when the jitter is unknown, that get an allowance instead, and
        are then forgotten.
    allowance_frames : int
        That allowance, in frames.
    margin_frames : int
        Added to the quantile, and the least surplus worth removing, in frames.
    """

    def __init__(
        self,
        *,
        slots: int = 100,
        ignored: int = 3,
        settling_slots: int = 5,
        allowance_frames: int = SAMPLE_RATE // 100,
        margin_frames: int = 32,
    ) -> None:
        self._ignored = ignored
        self._settling_slots = settling_slots
        self._allowance = allowance_frames
        self._margin = margin_frames
        self._maxima: deque[int] = deque(maxlen=slots)
        self._recent: deque[int] = deque(maxlen=8)
        self.reset()

    def reset(self) -> None:
        """Forget everything, as for a new stream."""
        self._maxima.clear()
        self._recent.clear()
        self._settling = self._settling_slots
        self._slot: int | None = None
        self._slot_maximum = 0
        self._quantile: int | None = None
        self._last_removal: int | None = None

    def observe(self, now_frames: int, needed_frames: int) -> None:
        """Take the delay one packet needed.

        Parameters
        ----------
        now_frames : int
            The card's frame count.
        needed_frames : int
            The delay, of any origin, as long as it is the same for all.
        """
        slot = now_frames // SLOT_FRAMES
        if slot != self._slot:
            self._close_slot()
            self._slot, self._slot_maximum = slot, needed_frames
        self._slot_maximum = max(self._slot_maximum, needed_frames)
        self._recent.append(needed_frames)

    def shift(self, frames: int) -> None:
        """Have packets need so much more from now on than those that were observed.

        They will when their sender makes its frames longer, for a frame leaves when its last sample
        is there; and so much less, below 0, when the card has let frames go by.
        """
        self._slot_maximum += frames
        for needs in self._maxima, self._recent:
            shifted = [needed + frames for needed in needs]
            needs.clear()
            needs.extend(shifted)
        if self._quantile is not None:
            self._quantile += frames

    def _close_slot(self) -> None:
        if self._slot is None:
            return
        self._maxima.append(self._slot_maximum)
        if self._settling > 0:
            self._settling -= 1
            self._quantile = max(self._maxima) + self._allowance
            if self._settling == 0:
                self._maxima.clear()
            return
        ranked = sorted(self._maxima)
        self._quantile = ranked[-1 - min(self._ignored, len(ranked) // 5)] + self._margin

    @property
    def target_frames(self) -> int:
        """The delay packets should have, in the unit and origin of what was observed.

        Raises
        ------
        ValueError
            Before the first observation.
        """
        if not self._recent:
            raise ValueError("no packet was observed yet, so there is no target delay")
        if self._quantile is None:
            return self._slot_maximum + self._allowance
        stepped = min(self._recent) > self._quantile
        return max(self._recent) + self._margin if stepped else self._quantile

    def correction(self, now_frames: int, delay_frames: int) -> int:
        """Return by how much to change the delay now: positive to wait longer, in frames.

        Too short a delay is to be mended at once, for packets are missing their deadline; too long
        a one costs nothing but itself, so surplus goes in steps, fifty a second at the most.

        Parameters
        ----------
        now_frames : int
            The card's frame count.
        delay_frames : int
            The delay in force.
        """
        missing = self.target_frames - delay_frames
        if missing >= 0:
            return missing
        recently = (
            self._last_removal is not None and now_frames - self._last_removal < _REMOVAL_INTERVAL
        )
        if recently or -missing <= self._margin:
            return 0
        self._last_removal = now_frames
        return missing
