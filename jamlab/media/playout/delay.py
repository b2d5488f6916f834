"""Control of the target delay: the least delay at which no more is concealed than was accepted.

Each packet's *needed* delay is known once it has arrived (see `jamlab.media.playout.playout`). Time
is cut into slots of 20 ms, and the needs of every slot decide among many candidate depths
(`jamlab.media.playout.candidates`). Four rules stand round that choice:

- A step (a new route) differs from a spike in that it affects every packet. So when all of the last
  few packets needed more than the candidate has, the target is the largest of their needs.
- A stall that is an accident (`jamlab.media.playout.stalls`) changes nothing.
- Nor does a need beyond the largest delay allowed: it could not be met, so no delay is spent on
  it. If nothing else comes for half a second, it was a step, and all known before is forgotten.
- In the first half second, when the jitter is unknown, the target is the largest need and an
  allowance; that time is then forgotten.
"""

from collections import deque
from dataclasses import dataclass

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.candidates import Candidates
from jamlab.media.playout.stalls import StallDetector

SLOT_FRAMES = SAMPLE_RATE // 50
"""Length of a slot, in frames of the card's clock."""
LEAST_DELAY_S, LONGEST_DELAY_S = 0.001, 1.0
"""Range of the largest delay: below a millisecond no packet is in time."""

_SETTLING_SLOTS = 25
_ANNOUNCED = SAMPLE_RATE  # longer frames come half a second after their announcement
_REMOVAL_INTERVAL = SAMPLE_RATE // 100


@dataclass(frozen=True)
class DelayBounds:
    """Bounds of concealment and delay that a user sets; raises ValueError out of their ranges.

    Parameters
    ----------
    accepted_share : float
        Share of the sound that may be concealed because packets are late, between 0 and 1.
    most_delay_s : float
        Largest delay that the buffer adds to the least one. By default 30 ms: at 20 to 30 ms in
        all, an ensemble begins to suffer (N. Schuett, "The effects of latency on ensemble
        performance", CCRMA, 2002).

    Examples
    --------
    >>> DelayBounds(accepted_share=0.01, most_delay_s=0.05)
    DelayBounds(accepted_share=0.01, most_delay_s=0.05)
    >>> DelayBounds(accepted_share=0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: the accepted share of concealed sound is 0 %: give more than 0, ... less than 100
    """

    accepted_share: float = 0.001
    most_delay_s: float = 0.030

    def __post_init__(self) -> None:
        if not 0 < self.accepted_share < 1:
            raise ValueError(
                f"the accepted share of concealed sound is {100 * self.accepted_share:g} %: give "
                "more than 0, which no buffer keeps on a real network, and less than 100"
            )
        if not LEAST_DELAY_S <= self.most_delay_s <= LONGEST_DELAY_S:
            raise ValueError(
                f"the largest delay of a playout buffer is {1000 * self.most_delay_s:g} ms: give "
                f"{1000 * LEAST_DELAY_S:g} to {1000 * LONGEST_DELAY_S:g} ms"
            )


DEFAULT_BOUNDS = DelayBounds()


class DelayController:
    """Controller of the target delay, from the delays that packets needed.

    Parameters
    ----------
    bounds : DelayBounds
        The concealment that is accepted, and the largest delay above the least.
    allowance_frames : int
        Addition to the largest need while the jitter is unknown.
    margin_frames : int
        Addition to the depth afterwards; also the least surplus that is removed.
    """

    def __init__(
        self,
        bounds: DelayBounds = DEFAULT_BOUNDS,
        *,
        allowance_frames: int = SAMPLE_RATE // 100,
        margin_frames: int = 24,
    ) -> None:
        self._most = round(bounds.most_delay_s * SAMPLE_RATE)
        self._allowance = allowance_frames
        self._margin = margin_frames
        slot_s = SLOT_FRAMES / SAMPLE_RATE
        self._candidates = Candidates(bounds.accepted_share, slot_s, self._most, margin_frames)
        self._resolution = self._candidates.step_frames
        self._stalls = StallDetector()
        self._recent: deque[tuple[int, int]] = deque(maxlen=8)  # times and needs
        self.added_frames = 0
        """Delay beyond what the packets need, as to hear all peers equally late."""
        self.reset()

    def reset(self) -> None:
        """Forget everything, as for a new stream."""
        self._candidates.reset()
        self._stalls.reset()
        self._recent.clear()
        self._slot: int | None = None
        self._needs: list[int] = []
        self._settled_slot: int | None = None  # the first after the settling
        self._largest: int | None = None  # need while settling
        self._depth: int | None = None
        self._unmet_slots = 0
        self._announced, self._announced_until = 0, -1
        self._last_removal: int | None = None

    def observe(self, now_frames: int, needed_frames: int) -> None:
        """Take the delay that a packet needed, from an origin that is the same for all packets."""
        slot = now_frames // SLOT_FRAMES
        if slot != self._slot:
            self._close_slot()
            self._slot = slot
            if self._settled_slot is None:
                self._settled_slot = slot + _SETTLING_SLOTS
        if self._stalls.is_accident(now_frames, needed_frames) and self._exceeds(needed_frames):
            return
        needed_frames = self._as_announced(now_frames, needed_frames)
        self._needs.append(needed_frames)
        self._recent.append((now_frames, needed_frames))

    def _as_announced(self, now_frames: int, needed_frames: int) -> int:
        """Return what a packet needs with longer frames, which were announced and are yet to come.

        Until they have come, shorter ones may not lower the delay again, nor the first of them
        raise it.
        """
        if now_frames > self._announced_until or self._depth is None:
            return needed_frames
        if self._candidates.depth_frames is None:  # settling
            return needed_frames
        longer = needed_frames + self._announced
        return max(needed_frames, min(longer, self._depth - self._margin - self._resolution))

    def _exceeds(self, needed_frames: int) -> bool:
        """Return whether a need exceeds the depth; the first packet's cannot."""
        return self._depth is not None and needed_frames > self._depth

    def shift(self, frames: int) -> None:
        """Change the needs observed so far to what such packets would need from now on.

        They need more when the sender's frames become longer, for a frame is sent once its last
        sample is captured; they need less (below 0) when the card has stopped for a while, which
        is found within a second: needs from after the stop stay.
        """
        if frames < 0:
            self._candidates.lower(-frames)
        else:
            self._candidates.shift(frames)
            self._needs = [needed + frames for needed in self._needs]
            shifted = [(now, needed + frames) for now, needed in self._recent]
            self._recent = deque(shifted, self._recent.maxlen)
            self._announced = frames
            self._announced_until = self._recent[-1][0] + _ANNOUNCED if self._recent else -1
        if self._largest is not None:
            self._largest += frames
        if self._depth is not None:
            learnt = self._candidates.depth_frames
            self._depth = self._depth + frames if learnt is None else learnt

    def _close_slot(self) -> None:
        needs, self._needs = self._needs, []
        if not needs:
            return
        assert self._slot is not None
        assert self._settled_slot is not None
        if self._slot < self._settled_slot:
            self._largest = max(needs) if self._largest is None else max(self._largest, *needs)
            self._depth = self._largest + self._allowance
            return
        if taught := self._without_unmet(needs):
            self._unmet_slots = 0
            self._candidates.observe(taught)
        else:
            self._note_unmet(needs)
        self._hold(self._candidates.depth_frames)

    def _hold(self, depth_frames: int | None) -> None:
        """Follow the candidates' depth, but not down by less than the margin.

        Each change of the delay alters the sound, and candidates alternate between neighbours.
        """
        held = self._depth
        if held is None or depth_frames is None:
            self._depth = depth_frames
            return
        if not held - self._margin <= depth_frames <= held:
            self._depth = depth_frames

    def _without_unmet(self, needs: list[int]) -> list[int]:
        """Return a slot's needs without those beyond the largest delay, and their followers.

        What a stall holds back needs ever less: its last packets could be met, at the price of a
        delay that saves little of it.
        """
        least = self._candidates.least_frames
        if least is None or self._depth is None or max(needs) <= least + self._most:
            return needs
        return [need for need in needs if need <= self._depth]

    def _note_unmet(self, needs: list[int]) -> None:
        """Begin anew when nothing but needs beyond the largest delay came for half a second."""
        self._unmet_slots += 1
        if self._unmet_slots >= _SETTLING_SLOTS:
            self._unmet_slots = 0
            self._candidates.reset()
            self._candidates.observe(needs)

    @property
    def target_frames(self) -> int:
        """The target delay, from the observations' origin; raises `ValueError` before the first."""
        if not self._recent:
            raise ValueError("no target delay before the first packet: observe a packet first")
        return self._least_target + self.added_frames

    @property
    def _least_target(self) -> int:
        if self._depth is None:
            return max(self._needs) + self._allowance
        return self._depth if (step := self._step()) is None else step

    def _step(self) -> int | None:
        """Return the target after a step; None where some recent packet needed no more delay.

        Packets that came all at once are a stall's, and no step.
        """
        assert self._depth is not None
        if self._recent[-1][1] <= self._depth:  # as nearly always
            return None
        needs = [needed for _, needed in self._recent]
        least = min(needs)
        if least <= self._depth or self._recent[-1][0] - self._recent[0][0] < SLOT_FRAMES // 2:
            return None
        return min(max(needs), least + self._most) + self._margin

    def correction(self, now_frames: int, delay_frames: int) -> int:
        """Return the frames by which to change the delay now: above 0 to wait longer.

        Too short a delay has to be corrected at once, for packets miss their deadline; too long a
        delay costs only latency, so a surplus is removed in at most a hundred steps a second.
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
