"""Replay of packets through jamlab's delay estimator, without sound: an hour in seconds.

The line of play moves here as in `jamlab.media.playout.playout`, whose rules this follows one by
one: the estimator sees each packet at the pull after its arrival, a packet missing at its deadline
is concealed, a splice changes the delay by a quarter of a frame at most, the line of play stands
still while the target is a frame above the delay, and a surplus of 100 ms is skipped. Only the
samples are left out. `tests/measure/playout/test_replay.py` compares it with `Playout` itself.
"""

from typing import Protocol

import numpy as np

from jamlab.measure.playout.packets import LOST, PacketTimes
from jamlab.measure.playout.playback import NEVER, Playback
from jamlab.media.playout.playout import SURPLUS_MAX_FRAMES
from jamlab.media.playout.splice import longest_splice


class Estimator(Protocol):
    """The interface of an estimator of the delay, as `jamlab.media.playout.delay` has it."""

    def observe(self, now_frames: int, needed_frames: int) -> None:
        """Take the delay that a packet needed."""

    @property
    def target_frames(self) -> int:
        """The target delay."""

    def correction(self, now_frames: int, delay_frames: int) -> int:
        """Return the frames by which to change the delay now."""


def replay(packets: PacketTimes, estimator: Estimator) -> Playback:
    """Return what jamlab's playout buffer makes of a stream's packets with an estimator.

    Examples
    --------
    >>> from jamlab.measure.playout.example import example_trace
    >>> from jamlab.measure.playout.packets import packets_of
    >>> from jamlab.media.playout.delay import DelayController
    >>> playback = replay(packets_of(example_trace()), DelayController())
    >>> playback.concealed_share < 0.05
    True
    """
    line = _LineOfPlay(packets, estimator)
    if len(packets.by_arrival):
        line.begin()
        line.run()
    concealed = np.array(line.concealed, np.int64).reshape(-1, 2)
    return Playback(packets, line.played, concealed[:, 0], concealed[:, 1])


class _LineOfPlay:
    """The line of play through a stream's packets.

    `line` is the timestamp of the next sample to be played, `frame` the card's frame that plays it.
    """

    def __init__(self, packets: PacketTimes, estimator: Estimator) -> None:
        self.played = np.full(packets.count, NEVER, np.int64)
        self.concealed: list[tuple[int, int]] = []
        self._estimator = estimator
        self._count = packets.count
        self._frame_frames, self._block_frames = packets.frame_frames, packets.block_frames
        order = packets.by_arrival
        positions = order * packets.frame_frames
        # views of which an item is read in a tenth of the time that one of an array takes
        self._playable = packets.playable_frames.data
        self._seen_at = packets.playable_frames[order].data
        self._needed = (packets.playable_frames[order] - positions).data
        self._played = self.played.data
        self._seen, self._arrived = 0, len(order)
        self._next_arrival = self._seen_at[0] if self._arrived else LOST
        self.line = self.frame = self._pull = 0
        self._skipped_at = 0

    def begin(self) -> None:
        """Begin at the delay of the newest of the packets that arrived by the first pull."""
        self._pull = self.frame = self._seen_at[0]
        while self._next_arrival <= self._pull:
            self._pass_arrival()
        self._estimator.observe(self._pull, min(self._needed[: self._seen]))
        self.line = self.frame - self._estimator.target_frames
        self._wait()

    def _wait(self) -> None:
        """Wait for the first packet to be due; packets before the line of play are late."""
        while (gap := self._gap()) > 0:
            lacking = self._pull + self._block_frames - self.frame
            step = min(gap, lacking)
            self.line += step
            self.frame += step
            self._observe()

    def _gap(self) -> int:
        """Return the frames from the line of play to the first packet that is there."""
        first = max(0, -(-self.line // self._frame_frames))
        for number in range(first, min(first + 1024, self._count)):
            if self._playable[number] <= self._pull:
                return number * self._frame_frames - self.line
        return self._frame_frames

    def run(self) -> None:
        """Play until the last packet."""
        end = self._count * self._frame_frames
        frame_frames, playable = self._frame_frames, self._playable
        estimator = self._estimator
        while self.line < end:
            self._observe()
            surplus = self.frame - self.line - estimator.target_frames
            if surplus > SURPLUS_MAX_FRAMES:
                self.line += surplus
                self._skipped_at = self._pull
                continue
            number, overdue = divmod(self.line, frame_frames)
            there = playable[number] <= self._pull
            if there and (not overdue or playable[number] > self._skipped_at):
                self._played[number] = self.frame - overdue
                self._advance(frame_frames - overdue)
            else:
                self._conceal(number, overdue, -surplus)

    def _observe(self) -> None:
        """Go to the pull that needs the next frame; show the packets that came meanwhile."""
        self._pull = pull = self.frame - self.frame % self._block_frames
        while self._next_arrival <= pull:
            self._estimator.observe(self._next_arrival, self._needed[self._seen])
            self._pass_arrival()

    def _pass_arrival(self) -> None:
        self._seen = seen = self._seen + 1
        self._next_arrival = self._seen_at[seen] if seen < self._arrived else LOST

    def _advance(self, frames: int) -> None:
        """Play so many frames, spliced towards the target."""
        change = self._estimator.correction(self._pull, self.frame - self.line)
        if change:
            limit = longest_splice(frames)
            change = max(-limit, min(limit, change))
        self.line += frames
        self.frame += frames + change

    def _conceal(self, number: int, overdue: int, shortage: int) -> None:
        """Conceal a frame, or up to the next packet after a skip."""
        frames = self._frame_frames
        following = number + 1
        if overdue and following < self._count and self._playable[following] <= self._pull:
            frames -= overdue
        self.concealed.append((self.frame, frames))
        if shortage >= frames:
            self.frame += frames
        else:
            self._advance(frames)
