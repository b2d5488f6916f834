"""A buffer like NetEq, that of libwebrtc and the browsers that contain it.

Written from ``modules/audio_coding/neteq`` of libwebrtc, with its settings. Every 10 ms it returns
10 ms of sound. Each packet's *relative delay* is that above the least of the last two seconds. The
greatest of every 500 ms goes into a histogram of 20 ms buckets that forgets by 0.983 each time, and
faster in the beginning; its quantile 0.95, rounded up to a bucket, is the target delay
(``delay_manager``, ``underrun_optimizer``, ``histogram``). When the playout delay exceeds the
target by 20 ms and the greatest relative delay, a pitch period is removed; when it is below the
target, one is inserted; at most every 50 ms, unless it exceeds four times that limit
(``decision_logic``). A missing packet is expanded over; packets that come meanwhile are played, so
that the delay grows by the expansion; a lost one is passed over when as much was expanded.

A pitch period is 8 ms here; NetEq finds one of 2.5 to 15 ms in the sound. Left out are its
optimiser for packets out of order, the longer expansion after long gaps, comfort noise, and the
overlaps of its fades.
"""

from collections import deque

import numpy as np

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.packets import LOST, PacketTimes
from jamlab.measure.playout.playback import NEVER, Playback

QUANTILE = 0.95
"""NetEq's own quantile."""
_TICK_FRAMES = SAMPLE_RATE // 100
_TICK_MS = 10
_PER_MS = SAMPLE_RATE // 1000
_HISTORY_MS = 2000
_BUCKETS, _BUCKET_MS = 100, 20
_FORGET, _START_WEIGHT = 0.983, 2
_RESAMPLE_MS = 500
_START_TARGET_MS = 80
_GRANULARITY_MS = 20
_WINDOW_MS = 100
_STRETCH_INTERVAL = 6  # ticks from one stretch to the next
_PITCH_FRAMES = 8 * _PER_MS
_FAST_FRAMES = 15 * _PER_MS // _PITCH_FRAMES * _PITCH_FRAMES


def neteq_like(packets: PacketTimes, quantile: float = QUANTILE) -> Playback:
    """Return what a buffer like NetEq makes of a stream's packets with a quantile of the delay."""
    neteq = _NetEq(packets, quantile)
    concealed = np.array(neteq.run(), np.int64).reshape(-1, 2)
    return Playback(packets, neteq.played, concealed[:, 0], concealed[:, 1])


class _TargetDelay:
    """NetEq's estimate of the target delay."""

    def __init__(self, quantile: float) -> None:
        self.target_ms = _START_TARGET_MS
        self._quantile = quantile
        self._shares = 0.5 ** np.arange(1, _BUCKETS + 1)
        self._forget, self._added = 0.0, 0
        self._begun_ms: int | None = None
        self._greatest_ms = 0

    def update(self, now_ms: int, relative_ms: int) -> None:
        """Take the relative delay of a packet that arrives."""
        if self._begun_ms is None:
            self._begun_ms = now_ms
        if now_ms - self._begun_ms > _RESAMPLE_MS:
            self._add(self._greatest_ms)
            self._begun_ms, self._greatest_ms = now_ms, 0
        self._greatest_ms = max(self._greatest_ms, relative_ms)

    def _add(self, delay_ms: int) -> None:
        bucket = delay_ms // _BUCKET_MS
        if bucket < _BUCKETS:
            self._shares *= self._forget
            self._shares[bucket] += 1 - self._forget
            self._added += 1
            self._forget = min(max(0.0, 1 - _START_WEIGHT / (self._added + 1)), _FORGET)
        found = int(np.searchsorted(np.cumsum(self._shares), self._quantile - 1e-9))
        self.target_ms = (1 + min(found, _BUCKETS - 1)) * _BUCKET_MS


class _Arrivals:
    """The relative delays of the packets of the last two seconds."""

    def __init__(self) -> None:
        self._least: deque[tuple[int, int]] = deque()
        self._greatest: deque[tuple[int, int]] = deque()

    def add(self, now_ms: int, sent_ms: int) -> None:
        """Add a packet that arrives."""
        late_ms = now_ms - sent_ms
        for kept, sign in ((self._least, 1), (self._greatest, -1)):
            while kept and sign * kept[-1][1] >= sign * late_ms:
                kept.pop()
            kept.append((sent_ms, late_ms))
            while kept[0][0] < sent_ms - _HISTORY_MS:
                kept.popleft()

    def relative_ms(self, now_ms: int, sent_ms: int) -> int:
        """Return the delay of a sample above that of the quickest packet."""
        return max(0, now_ms - sent_ms - self._least[0][1]) if self._least else 0

    @property
    def greatest_ms(self) -> int:
        """The greatest relative delay."""
        return self._greatest[0][1] - self._least[0][1] if self._least else 0


class _NetEq:
    """The decisions of NetEq, 10 ms after 10 ms."""

    def __init__(self, packets: PacketTimes, quantile: float) -> None:
        self._packets = packets
        self._frame = packets.frame_frames
        self._delay, self._arrivals = _TargetDelay(quantile), _Arrivals()
        self._there = bytearray(packets.count)
        self._newest = -1
        self.played = np.full(packets.count, NEVER, np.int64)
        self._line = 0  # timestamp of the next sample to decode
        self._now = self._ready = self._expanded = 0
        self._tick = self._may_stretch_at = 0
        self._was_expanding = False
        self._concealed: list[tuple[int, int]] = []

    def run(self) -> list[tuple[int, int]]:
        """Play all packets; return when concealment began, and its lengths."""
        order = self._packets.by_arrival
        if not len(order):
            return []
        ticks = np.ceil(self._packets.arrived_frames[order] / _TICK_FRAMES).astype(np.int64)
        arrivals = zip(ticks.tolist(), order.tolist(), strict=True)
        due, number = next(arrivals)
        self._tick, self._line = due, number * self._frame
        self._may_stretch_at = due + _STRETCH_INTERVAL
        while due != LOST or self._line <= self._newest * self._frame:
            while due <= self._tick:
                self._insert(number)
                due, number = next(arrivals, (LOST, 0))
            self._now = self._tick * _TICK_FRAMES
            self._return_sound()
            self._tick += 1
        return self._concealed

    def _insert(self, number: int) -> None:
        now_ms, sent_ms = self._tick * _TICK_MS, number * self._frame // _PER_MS
        self._arrivals.add(now_ms, sent_ms)
        self._delay.update(now_ms, self._arrivals.relative_ms(now_ms, sent_ms))
        if number * self._frame >= self._line:
            self._there[number] = 1
            self._newest = max(self._newest, number)

    def _return_sound(self) -> None:
        """Return 10 ms of sound: decoded, stretched or expanded."""
        number = self._there.find(1, self._line // self._frame, self._newest + 1)
        if number * self._frame == self._line:
            stretch = 0 if self._was_expanding else self._stretch()
            self._decode(2 * _TICK_FRAMES if stretch < 0 else _TICK_FRAMES)
            if stretch and self._ready + stretch >= _TICK_FRAMES:
                self._ready += stretch
                self._may_stretch_at = self._tick + _STRETCH_INTERVAL
        elif self._ready < _TICK_FRAMES and number >= 0 and self._passes_over(number):
            self._line = number * self._frame
            self._decode(_TICK_FRAMES)
        self._expand()
        self._ready -= _TICK_FRAMES

    def _passes_over(self, number: int) -> bool:
        """Return whether to go on with a packet although those before it are missing."""
        if not self._was_expanding:
            return False
        waiting_ms = (self._newest + 1 - number) * self._frame // _PER_MS
        above = waiting_ms > self._delay.target_ms + _WINDOW_MS // 2
        return above or number * self._frame - self._line <= self._expanded

    def _stretch(self) -> int:
        """Return the frames to insert; below 0 to remove."""
        low_ms = self._delay.target_ms
        high_ms = low_ms + self._arrivals.greatest_ms + _GRANULARITY_MS
        playing_ms = (self._line - self._ready) // _PER_MS
        delay_ms = self._arrivals.relative_ms((self._tick + 1) * _TICK_MS, playing_ms)
        if delay_ms >= 4 * high_ms:
            return -_FAST_FRAMES
        if self._tick < self._may_stretch_at:
            return 0
        if delay_ms >= high_ms:
            return -_PITCH_FRAMES
        return _PITCH_FRAMES if delay_ms < low_ms else 0

    def _decode(self, frames: int) -> None:
        """Decode packets that follow each other until so many frames are ready."""
        number = self._line // self._frame
        while self._ready < frames and number <= self._newest and self._there[number]:
            self.played[number] = self._now + self._ready
            self._ready += self._frame
            number += 1
            self._was_expanding, self._expanded = False, 0
        self._line = number * self._frame

    def _expand(self) -> None:
        """Conceal what lacks of 10 ms."""
        lacking = _TICK_FRAMES - self._ready
        if lacking <= 0:
            return
        self._concealed.append((self._now + self._ready, lacking))
        self._ready = _TICK_FRAMES
        self._expanded += lacking
        self._was_expanding = True
