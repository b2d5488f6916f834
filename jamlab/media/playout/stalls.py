"""Recognition of a stall: a network that delivers nothing for a while, then all of it at once.

A stall's packets need ever less delay, each by the length of a frame, and all for one reason. So
they teach one thing, and only where it happens again: one stall is an accident, of which a buffer
must not keep the delay; `RECURRING` of them within `REMEMBERED_S` are a property of the network.
"""

from collections import deque

from jamlab.audio.pcm import SAMPLE_RATE

LEAST_FRAMES = SAMPLE_RATE // 25
"""Shortest time without a packet that is a stall; of long frames, three times the usual one."""
RECURRING = 3
REMEMBERED_S = 60.0

_DELIVERY = SAMPLE_RATE // 50  # time after a stall in which its packets arrive


class StallDetector:
    """Detector of stalls from the card's frame counts at which packets arrive."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all stalls."""
        self._ended: deque[int] = deque()
        self._usual: deque[int] = deque(maxlen=8)  # times between packets
        self._latest: tuple[int, int] | None = None  # the last packet's arrival and need

    def is_accident(self, now_frames: int, needed_frames: int) -> bool:
        """Take the arrival of a packet; return whether it came with a stall that is an accident.

        After a sender's pause, or lost packets, the next needs no more delay than those before.
        """
        if self._latest is not None:
            came, needed = self._latest
            self._take_silence(now_frames - came, needed_frames - needed, now_frames)
        self._latest = now_frames, needed_frames
        while self._ended and now_frames - self._ended[0] > REMEMBERED_S * SAMPLE_RATE:
            self._ended.popleft()
        if not self._ended or now_frames - self._ended[-1] > _DELIVERY:
            return False
        return len(self._ended) < RECURRING

    def _take_silence(self, frames: int, held_frames: int, now_frames: int) -> None:
        """Note a time without a packet as usual, or as a stall that ends now."""
        if self._usual and frames >= max(LEAST_FRAMES, 3 * max(self._usual)):
            if held_frames >= frames // 2:
                self._ended.append(now_frames)
        else:
            self._usual.append(frames)
