"""Estimate of the target delay: the smallest delay that is long enough for nearly all packets.

Each packet's *needed* delay is known once it has arrived (see `jamlab.media.playout.playout`). Time
is cut into slots of 100 ms, the largest need of each slot of the last ten seconds is kept, and the
target is a high quantile of those maxima, plus a margin. Maxima of slots rather than single
packets, for a scheduling spike delays all packets of a few milliseconds, one or ten depending on
their length, and the spikes must be counted. A quantile rather than the largest, for a rare spike
must not add its length to the delay of all later packets; and not mean plus deviations, for network
delays are far from normally distributed.

A step (a new route) differs from a spike in that it affects every packet. So when all of the last
few packets needed more than the quantile, the target is the largest of their needs, plus the
margin.
"""

from collections import deque

from jamlab.audio.pcm import SAMPLE_RATE

SLOT_FRAMES = SAMPLE_RATE // 10
"""Length of a slot, in frames of the card's clock."""

_REMOVAL_INTERVAL = SAMPLE_RATE // 50


class DelayEstimator:
    """Estimator of the target delay from the delays that packets needed in the last `slots` slots.

    The spikes of `ignored` slots, at most a fifth of the slots seen so far, may cost sound; one
    stall often falls into two slots. The first `settling_slots`, when the jitter is unknown, get
    `allowance_frames` instead of `margin_frames`, and are then dropped. The margin is also the
    least surplus that is removed.
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
        """Take the delay that a packet needed, from an origin that is the same for all packets."""
        slot = now_frames // SLOT_FRAMES
        if slot != self._slot:
            self._close_slot()
            self._slot, self._slot_maximum = slot, needed_frames
        self._slot_maximum = max(self._slot_maximum, needed_frames)
        self._recent.append(needed_frames)

    def shift(self, frames: int) -> None:
        """Change the needs observed so far to what such packets would need from now on.

        They need more when the sender's frames become longer, for a frame is sent once its last
        sample is captured; they need less (below 0) when the card has stopped for a while.
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
        """The target delay, from the observations' origin; raises `ValueError` before the first."""
        if not self._recent:
            raise ValueError("no target delay before the first packet: observe a packet first")
        if self._quantile is None:
            return self._slot_maximum + self._allowance
        stepped = min(self._recent) > self._quantile
        return max(self._recent) + self._margin if stepped else self._quantile

    def correction(self, now_frames: int, delay_frames: int) -> int:
        """Return the frames by which to change the delay now: above 0 to wait longer.

        Too short a delay has to be corrected at once, for packets miss their deadline; too long a
        delay costs only latency, so a surplus is removed in at most fifty steps a second.
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
