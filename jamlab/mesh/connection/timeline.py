"""Estimate of a sound card's timeline on the event loop's clock, from the times of its callbacks.

Theory of operation
-------------------
A card calls back for block *k* when it has captured ``(k + 1) · B`` frames, or later: a lagging
loop delays a callback and never advances one. So the time of a callback minus the length of the
frames due then is the time of frame 0 plus the callback's lag, and the smallest of several is the
time of frame 0. The times of callbacks come from `WebRTCAudioService.sent_frames`: an Opus frame is
sent in the callback that completes it.

A packet that is read after its block should have begun to play is not heard: a stalled loop reads
the packets that came meanwhile, and then makes the callbacks that are due. Such packets are left
out. For a packet that is read after its callback was due, but before its block plays, the card
waited: no wait is counted as negative.

The block that the callback with count *n* returns plays from frame ``n + R`` on, where *R* is the
card's round trip minus the block it captured meanwhile. There is no I/O and no clock here.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.counters import PlayedPacket


@dataclass(frozen=True, slots=True)
class Waits:
    """Mean waits of packets on their way to the loudspeaker."""

    playout_s: float
    """From a packet's arrival to the callback that plays it."""
    card_s: float
    """From that callback to the playback of the packet's first sample."""


@dataclass(frozen=True, slots=True)
class CardTimeline:
    """Times at which a card's frames are captured and played.

    `began_s` is the time of frame 0 on the loop's clock, from the latest callbacks; with the drift
    of the card's clock it changes by microseconds per second. The round trip, from capture to
    playback, is that of the card alone.
    """

    began_s: float
    block_frames: int
    round_trip_frames: int

    @classmethod
    def from_sent(
        cls, sent: Sequence[tuple[int, float]], block_frames: int, round_trip_frames: int
    ) -> "CardTimeline | None":
        """Estimate the timeline from sent frames; None for fewer than two.

        `sent` has the capture position and the time in seconds of each Opus frame sent, in order.
        """
        began_s = min(_began_s(sent, block_frames), default=None)
        return None if began_s is None else cls(began_s, block_frames, round_trip_frames)

    def lag_s(self, sent: Sequence[tuple[int, float]]) -> float:
        """Return the largest lag of the callbacks that sent some frames, of any period."""
        latest_s = max(_began_s(sent, self.block_frames), default=self.began_s)
        return max(latest_s - self.began_s, 0.0)

    def waits(self, packets: Iterable[PlayedPacket], origin: int) -> Waits | None:
        """Return the mean waits of packets; None when none could be heard.

        `origin` is the number of frames the card had pulled when their playout buffer started.
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
    """Yield each callback's estimate of the time of frame 0: that time plus the callback's lag."""
    for (_, sent_s), (end, _) in pairwise(sent):
        yield sent_s - math.ceil(end / block_frames) * block_frames / SAMPLE_RATE
