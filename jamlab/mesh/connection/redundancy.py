"""Redundancy by need: turned on by the loss that a peer's RTCP reports state, and off again.

Redundant audio (`jamlab.media.red`) repairs single losses. It costs the payload's rate once more,
and the peer one packet of delay. So a `RedundancySwitch` turns it on only while packets are lost:

*On*, when at least `ON_SHARE` of the packets of the last `WINDOW_S` were lost, in two reports or
more: one outage is no reason, for in it a copy is lost like its packet.

*Off*, when no window of the last `QUIET_S` lost more than `OFF_SHARE`. The distance of the two
shares, and that time, keep it from turning on and off again and again.

*Off at once*, when the loss grew to `WORSE` times what it was, in `TELLING_REPORTS` reports in
succession. Perhaps the network cannot carry the rate, so that redundancy itself fills a queue. If
the loss then falls within a window, that was it, and redundancy stays off for `HOLD_OFF_S`, twice
as long after each time. If it does not, the network lost them anyway, and redundancy is on again.
"""

import asyncio
import math
from collections import deque
from itertools import islice, pairwise

from aiortc import RTCRemoteInboundRtpStreamStats, RTCRtpSender

from jamlab.media.rtc import EncodedTrack

WINDOW_S = 5.0
"""Time of the reports that count."""

ON_SHARE, OFF_SHARE = 0.002, 0.0005
"""Shares of lost packets: twice and half of one in a thousand, which hardly anybody hears."""

QUIET_S = 30.0
"""Time with little loss after which redundancy is turned off."""

WORSE, WORST_SHARE = 2.0, 0.03
"""Growth of the loss under redundancy that is suspicious, and the least share for which it is."""

TELLING_REPORTS = 3
"""Reports in succession that show it: an outage is over sooner."""

HOLD_OFF_S, LONGEST_HOLD_OFF_S = 60.0, 480.0
"""Time off after a network could not carry the rate: the first time, and at most."""

_EVERY_S = 0.5  # the shortest interval between reports


class RedundancySwitch:
    """The decision whether packets to one peer carry redundancy.

    Times are those of any monotonic clock. Counts are since the start of the stream; that of lost
    packets decreases when one comes late or twice (RFC 3550 A.3).
    """

    def __init__(self) -> None:
        self.on = False
        self._reports: deque[tuple[float, int, int]] = deque()
        self._loss_before = 0.0  # share of packets lost before redundancy was turned on
        self._lossy_s = -math.inf
        self._off_until_s = -math.inf
        self._suspected: float | None = None  # share that was lost under redundancy, or more
        self._hold_off_s = HOLD_OFF_S

    def observe(self, now_s: float, sent: int, lost: int) -> None:
        """Take a report of packets sent and lost until now."""
        self._reports.append((now_s, sent, lost))
        while len(self._reports) > 1 and self._reports[1][0] <= now_s - WINDOW_S:
            self._reports.popleft()
        shares = [_share(before, after) for before, after in pairwise(self._reports)]
        share = _share(self._reports[0], self._reports[-1])
        if self.on:
            self._judge(now_s, share, shares)
        elif now_s >= self._off_until_s and not self._was_to_blame(now_s, share):
            needed = share >= ON_SHARE and sum(each > 0 for each in shares) > 1
            if needed:
                self._turn(now_s, on=True)
                self._loss_before = share

    def _judge(self, now_s: float, share: float, shares: list[float]) -> None:
        """Turn redundancy off when it is of no use any more, or is suspected to do harm."""
        if share > OFF_SHARE:
            self._lossy_s = now_s
        suspicious = max(WORSE * self._loss_before, WORST_SHARE)
        telling = shares[-TELLING_REPORTS:]
        if len(telling) == TELLING_REPORTS and min(telling) >= suspicious:
            self._turn(now_s, on=False)
            self._suspected, self._off_until_s = suspicious, now_s + WINDOW_S
        elif now_s - self._lossy_s >= QUIET_S:
            self._turn(now_s, on=False)

    def _was_to_blame(self, now_s: float, share: float) -> bool:
        """Return whether the loss fell without redundancy; then stay off for a while."""
        suspected, self._suspected = self._suspected, None
        if suspected is None or share >= suspected:
            return False
        self._off_until_s = now_s + self._hold_off_s
        self._hold_off_s = min(2 * self._hold_off_s, LONGEST_HOLD_OFF_S)
        return True

    def _turn(self, now_s: float, *, on: bool) -> None:
        """Turn on or off; reports from before say nothing about what follows."""
        self.on, self._lossy_s = on, now_s
        self._reports = deque(islice(self._reports, len(self._reports) - 1, None))


def _share(before: tuple[float, int, int], after: tuple[float, int, int]) -> float:
    """Return the share of packets lost between two reports."""
    return max(after[2] - before[2], 0) / max(after[1] - before[1], 1)


async def follow_loss(sender: RTCRtpSender, track: EncodedTrack) -> None:
    """Turn the redundancy of a track on and off by its peer's reports, until cancelled."""
    switch, told = RedundancySwitch(), None
    while track.redundancy is not None:
        await asyncio.sleep(_EVERY_S)
        stats = (await sender.getStats()).values()
        report = next((s for s in stats if isinstance(s, RTCRemoteInboundRtpStreamStats)), None)
        if report is not None and report.timestamp != told:
            told = report.timestamp
            sent = report.packetsReceived + report.packetsLost
            switch.observe(asyncio.get_running_loop().time(), sent, report.packetsLost)
            track.redundancy.on = switch.on
