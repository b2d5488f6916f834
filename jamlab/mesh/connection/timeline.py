"""When a sound card's frames sound, by the event loop's clock, told from when it called back.

Theory of operation
-------------------
A card calls back for block *k* when it has captured ``(k + 1) · B`` frames, or later: a loop that
lags delays a callback and never hastens one. So the frames due at a callback, taken from the time
it came, leave the time of frame 0 plus that callback's lag, and the smallest of several is the time
of frame 0. The callbacks' times are those that `WebRTCAudioService.sent_frames` has anyway: an Opus
frame is sent in the very callback that completes it.

A packet that is read after the block that plays it should have begun to sound was played to nobody:
a loop that stalled reads what came meanwhile, and then makes the callbacks it owes. Such packets
have no wait, and count for none. One that is read after its callback was due, but before its block
sounds, was waited for by the card: nothing waits for less than no time.

What a callback with the count *n* returns sounds from frame ``n + R`` on, where *R* is the card's
round trip less the block it captured meanwhile. There is no I/O and no clock here.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.counters import PlayedPacket


@dataclass(frozen=True, slots=True)
class Waits:
    """Means over packets, in seconds, of what they waited for on their way to the loudspeaker."""

    playout_s: float
    """From a packet's arrival to the callback that plays it."""
    card_s: float
    """From that callback to when its first sample sounds."""


@dataclass(frozen=True, slots=True)
class CardTimeline:
    """When a card's frames are captured and played.

    Parameters
    ----------
    began_s : float
        When frame 0 was, by the loop's clock, as the latest callbacks tell. A card whose clock is
        off by some parts per million has another one with every second that passes.
    block_frames : int
        Length of its blocks.
    round_trip_frames : int
        From captured to played through the card alone.
    """

    began_s: float
    block_frames: int
    round_trip_frames: int

    @classmethod
    def told_by(
        cls, sent: Sequence[tuple[int, float]], block_frames: int, round_trip_frames: int
    ) -> "CardTimeline | None":
        """Read the timeline off frames sent; None when there are fewer than two.

        Parameters
        ----------
        sent : sequence of (position, seconds)
            Capture position of each Opus frame and when it was sent, in order.
        block_frames, round_trip_frames : int
            The card's.
        """
        began_s = min(_began_s(sent, block_frames), default=None)
        return None if began_s is None else cls(began_s, block_frames, round_trip_frames)

    def lag_s(self, sent: Sequence[tuple[int, float]]) -> float:
        """Return by how much the latest of some callbacks came too late.

        Parameters
        ----------
        sent : sequence of (position, seconds)
            As of `told_by`, of any stretch of time.
        """
        latest_s = max(_began_s(sent, self.block_frames), default=self.began_s)
        return max(latest_s - self.began_s, 0.0)

    def waits(self, packets: Iterable[PlayedPacket], origin: int) -> Waits | None:
        """Return what packets waited for on average; None when none could be heard.

        Parameters
        ----------
        packets : iterable of PlayedPacket
            What became of them.
        origin : int
            Frame of the card, counted in frames asked for, at which their playout began.
        """
        slack_s = (self.round_trip_frames - self.block_frames) / SAMPLE_RATE
        playout_s, card_s, heard = 0.0, 0.0, 0
        for packet in packets:
            output = origin + packet.output_frame
            called = (output // self.block_frames + 1) * self.block_frames
            wait_s = self.began_s + called / SAMPLE_RATE - packet.arrival_s
            if wait_s >= -slack_s:
                playout_s += wait_s
                card_s += (output + self.round_trip_frames - called) / SAMPLE_RATE
                heard += 1
        if not heard:
            return None
        late_s = min(playout_s / heard, 0.0)
        return Waits(playout_s / heard - late_s, card_s / heard + late_s)


def _began_s(sent: Sequence[tuple[int, float]], block_frames: int) -> Iterator[float]:
    """Yield what each callback tells of when frame 0 was: that, and its lag."""
    for (_, sent_s), (end, _) in pairwise(sent):
        yield sent_s - math.ceil(end / block_frames) * block_frames / SAMPLE_RATE
