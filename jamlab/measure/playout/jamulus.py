"""A buffer like Jamulus': several simulated buffers, and the smallest whose errors are few.

Written from ``CNetBufWithStats`` of Jamulus' ``src/buffer.cpp``, with sequence numbers. A buffer of
*N* blocks is a window over the sequence: each pull takes its first block and moves it on by one. A
block before the window moves it back, one after it moves it on, so the delay never exceeds N
blocks. Ten simulated buffers of 2 to 11 blocks run beside the real one. The error rate of each is
the share of failed pulls among the last 15 s of pulls and arrivals, with failures in a row counted
once. The smallest buffer with a rate below the bound is wanted (0.0005); the real size follows it
through a filter that is slow upwards and quicker downwards, and quick in both directions at first
and while the rate of the present size exceeds 0.01; it is rounded with a hysteresis.

A block is a packet here. Jamulus counts its filter's weights for blocks of 128 samples; they are
converted to the packet's length. Left out are the sequence number's wrap-around after 256 blocks
and the one reset of the statistics after a bad beginning.
"""

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.packets import PacketTimes
from jamlab.measure.playout.playback import NEVER, Playback

ERROR_BOUND = 0.0005
"""Jamulus' own bound of the error rate."""
_QUICK_BOUND = 0.01
_SIZES = range(2, 12)
_FIRST_SIZE = 6
_WINDOW_S = 15
_HYSTERESIS = 0.1
_WEIGHT_BLOCK = 128  # samples, for which Jamulus states its weights
_UP, _DOWN, _QUICK_UP, _QUICK_DOWN = 0.999995, 0.9999, 0.9995, 0.999


class JamulusLike:
    """A buffer like Jamulus' for one stream, whose simulated buffers run once for all bounds."""

    def __init__(self, packets: PacketTimes) -> None:
        self._packets = packets
        self._frame = packets.frame_frames
        arrived = packets.arrived_frames[packets.by_arrival]
        self._numbers = packets.by_arrival.tolist()
        pulls = np.ceil(arrived / self._frame).astype(np.int64)
        self._first_pull = int(pulls[0])
        self._put_before = (pulls - self._first_pull).tolist()
        self._pulls = int(pulls[-1]) - self._first_pull + max(_SIZES)
        self._window = int(2 * _WINDOW_S * SAMPLE_RATE / self._frame)
        puts = np.bincount(pulls - self._first_pull, minlength=self._pulls)
        self._rates = np.array([self._error_rate(size, puts) for size in _SIZES])

    def play(self, error_bound: float = ERROR_BOUND) -> Playback:
        """Return what the buffer makes of the packets with a bound of the error rate."""
        sizes = self._real_sizes(error_bound)
        taken = self._taken(sizes)
        is_played = taken != NEVER
        at = (np.arange(self._pulls) + self._first_pull) * self._frame
        played = np.full(self._packets.count, NEVER, np.int64)
        played[taken[is_played]] = at[is_played]
        due = np.arange(self._pulls) <= np.flatnonzero(is_played).max(initial=-1)
        failed = at[~is_played & due]
        return Playback(self._packets, played, failed, np.full(len(failed), self._frame))

    def _error_rate(self, size: int, puts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the error rate of a simulated buffer after each pull."""
        failed = self._taken([size] * self._pulls) == NEVER
        pull_at = np.cumsum(puts) + np.arange(self._pulls)
        errors = np.zeros(pull_at[-1] + 1, np.int64)
        errors[pull_at] = failed
        counted = np.ones(len(errors), np.bool_)
        counted[1:] = (errors[1:] & errors[:-1]) == 0
        number = np.cumsum(counted)[pull_at]
        sums = np.concatenate(([0], np.cumsum(errors[counted])))
        begin = np.maximum(number - self._window, 0)
        rate: NDArray[np.float64] = (sums[number] - sums[begin]) / (number - begin)
        return rate

    def _taken(self, sizes: list[int]) -> NDArray[np.int64]:
        """Return the packet that each pull takes, `NEVER` for none; a size for each pull."""
        buffer = _Window(sizes[0], self._numbers[0])
        arrivals = zip(self._put_before, self._numbers, strict=True)
        due, number = next(arrivals)
        taken = []
        for pull, size in enumerate(sizes):
            while due <= pull:
                buffer.put(number)
                due, number = next(arrivals, (self._pulls, 0))
            if size != buffer.size:
                buffer.resize(size)
            taken.append(buffer.take())
        found = np.array(taken, np.int64)
        found[found >= self._packets.count] = NEVER
        return found

    def _real_sizes(self, error_bound: float) -> list[int]:
        """Return the size of the real buffer at each pull."""
        wanted = self._smallest_below(error_bound)
        least = self._smallest_below(_QUICK_BOUND)
        up, down, quick_up, quick_down = (
            weight ** (self._frame / _WEIGHT_BLOCK)
            for weight in (_UP, _DOWN, _QUICK_UP, _QUICK_DOWN)
        )
        filtered, size = float(_FIRST_SIZE), _FIRST_SIZE
        beginning = settling = self._window // 4
        sizes = []
        for target, needed in zip(wanted.tolist(), least.tolist(), strict=True):
            sizes.append(size)
            if needed == _SIZES[-1]:
                settling = beginning
            quick = settling > 0 or size < needed
            settling = max(0, settling - 1)
            rising = target >= filtered
            weight = (quick_up if rising else quick_down) if quick else (up if rising else down)
            filtered = filtered * weight + (1 - weight) * target
            bias = -_HYSTERESIS if filtered > _FIRST_SIZE else _HYSTERESIS
            size = int(filtered + bias + 0.5)
        return sizes

    def _smallest_below(self, bound: float) -> NDArray[np.int64]:
        """Return the smallest size with an error rate below a bound, after each pull."""
        below = self._rates <= bound
        below[-1] = True
        sizes: NDArray[np.int64] = below.argmax(axis=0) + _SIZES[0]
        return sizes


class _Window:
    """A window over the sequence of blocks; only whether a block is there is kept."""

    def __init__(self, size: int, first: int) -> None:
        self.size = size
        self._next = first
        self._there: set[int] = set()

    def put(self, number: int) -> None:
        """Keep a block, moving the window to it."""
        if number < self._next:
            self._there.discard(self._next)  # as Jamulus does
            self._next = number
        elif number >= self._next + self.size:
            self._next = number - self.size + 1
        self._cut()
        self._there.add(number)

    def take(self) -> int:
        """Return the window's first block, `NEVER` if it is missing, and move on."""
        number = self._next
        self._next += 1
        if number not in self._there:
            return NEVER
        self._there.remove(number)
        return number

    def resize(self, size: int) -> None:
        """Change the size; the first block stays."""
        self.size = size
        self._cut()

    def _cut(self) -> None:
        """Drop the blocks outside the window."""
        end = self._next + self.size
        if self._there and not (self._next <= min(self._there) and max(self._there) < end):
            self._there = {each for each in self._there if self._next <= each < end}
