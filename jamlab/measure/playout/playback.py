"""What a playout buffer made of a stream's packets: when each was played, and what was concealed.

*Delay* is the time from a sample's capture to its play, less the least that any packet of the trace
needed (`PacketTimes.floor_frames`); its mean is over the packets that were played. The *concealed
share* is the greater of the frames of concealment or silence and the frames of packets that were
never played, over the frames sent since the first packet that was played. The greater of the two,
for a buffer may let its line of play stand still during a stall, and one that then skips what came
late has made one dropout, not two; but skipping without concealment is a dropout as well.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.packets import PacketTimes

WINDOW_S = 120
"""Length of the windows over which a buffer has to keep its concealed share."""
NEVER = -1
"""Frame at which a packet is played that never is."""


@dataclass(frozen=True, eq=False)
class Playback:
    """The fate of a stream's packets in one buffer.

    Parameters
    ----------
    packets : PacketTimes
        The packets.
    played_frames : NDArray[np.int64]
        The card's frame that plays each packet's first sample; `NEVER` for none.
    concealed_at_frames : NDArray[np.int64]
        The card's frames at which concealment or silence begins.
    concealed_frames : NDArray[np.int64]
        Length of each of them.
    """

    packets: PacketTimes
    played_frames: NDArray[np.int64]
    concealed_at_frames: NDArray[np.int64]
    concealed_frames: NDArray[np.int64]

    @cached_property
    def is_played(self) -> NDArray[np.bool_]:
        """Whether each packet was played."""
        played: NDArray[np.bool_] = self.played_frames != NEVER
        return played

    @cached_property
    def delay_s(self) -> NDArray[np.float64]:
        """Delay of each packet that was played, above the floor of the trace."""
        late = (self.played_frames - self.packets.captured_frames)[self.is_played]
        return (late - self.packets.floor_frames) / SAMPLE_RATE

    @property
    def mean_delay_s(self) -> float:
        """Mean delay of the packets that were played; NaN if there are none."""
        return float(self.delay_s.mean()) if len(self.delay_s) else float("nan")

    @property
    def concealed_share(self) -> float:
        """Share of the sound that was concealed or never played; 1 if nothing was played."""
        concealed, unplayed, due = (each.sum() for each in self._by_second)
        return float(max(concealed, unplayed) / due) if due else 1.0

    @property
    def worst_share(self) -> float:
        """Greatest concealed share over any `WINDOW_S` seconds, or over a shorter stream."""
        concealed, unplayed, due = (_windows(each) for each in self._by_second)
        return float((np.maximum(concealed, unplayed) / np.maximum(due, 1)).max(initial=0.0))

    @cached_property
    def _by_second(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Frames that were concealed, never played, and due, in each second of the stream."""
        if not self.is_played.any():
            none = np.zeros(1, np.int64)
            return none, none, none
        begun = int(self.is_played.argmax())
        seconds = self.packets.seconds - self.packets.seconds.min()
        length = int(seconds.max()) + 1
        due = np.bincount(seconds[begun:], minlength=length)
        unplayed = np.bincount(seconds[begun:][~self.is_played[begun:]], minlength=length)
        at = np.clip(self.concealed_at_frames // SAMPLE_RATE, 0, length - 1)
        concealed = np.bincount(at, weights=self.concealed_frames, minlength=length)
        frame = self.packets.frame_frames
        return concealed.astype(np.int64), unplayed * frame, due * frame


def _windows(by_second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sums over all windows that begin with a second."""
    sums = np.concatenate(([0], np.cumsum(by_second)))
    width = min(WINDOW_S, len(by_second))
    return sums[width:] - sums[:-width]
