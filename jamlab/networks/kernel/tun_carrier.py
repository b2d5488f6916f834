"""The process between a link's two TUN devices: ``python -m jamlab.networks.kernel.tun_carrier``.

It is a child process (`jamlab.process.parent`). It sends a message once both devices exist, carries
packets until its parent asks it to finish, and sends a report of them. Its devices end with it.

It waits with `select`, whose timeouts are microseconds (epoll's are milliseconds), under SCHED_FIFO
where allowed: such a thread is woken at once, and its timers have no slack (prctl(2)). No packet
leaves early, for the clock is read after a packet is taken and again before it is delivered.
"""

import math
import os
import random
import select
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from jamlab.networks.kernel.namespace import inside
from jamlab.networks.kernel.shaper import Shaper
from jamlab.networks.kernel.tun import open_tun
from jamlab.networks.model.link import LinkConfig
from jamlab.process.parent import ending_with_parent, receive, send
from jamlab.process.pauses import collector_paused
from jamlab.process.real_time import RealTime

PRIORITY = 3
"""Above the real-time priority of a session (2), which must not delay links; below a card's (5)."""

_LARGEST = 65_535  # bytes of an IP packet
_BURST = 16  # packets taken from one device before the other's turn
_LONGEST_WAIT_S = 3600.0


class Way:
    """One direction of the link: from one device through a shaper to the other.

    `source` and `sink` are non-blocking file descriptors; each read and write is one packet.
    """

    def __init__(self, source: int, sink: int, shaper: Shaper) -> None:
        self.source = source
        self.shaper = shaper
        self._sink = sink

    def take(self) -> None:
        """Take the waiting packets, at most a burst of them."""
        with suppress(BlockingIOError):
            for _ in range(_BURST):
                packet = os.read(self.source, _LARGEST)
                self.shaper.enter(packet, time.monotonic())

    def deliver(self) -> None:
        """Deliver the packets that are due."""
        for packet in self.shaper.leaving(time.monotonic()):
            try:
                os.write(self._sink, packet)
            except OSError:  # the far interface is down, or its queue is full
                self.shaper.refused += 1


def carry(ways: Sequence[Way], stop: int) -> None:
    """Carry packets until `stop` is readable or closed; raises OSError if a device is removed."""
    sources = {way.source: way for way in ways}
    while True:
        next_s = min(way.shaper.next_s for way in ways)
        wait_s = None if next_s == math.inf else _within(next_s - time.monotonic())
        readable, _, _ = select.select([stop, *sources], [], [], wait_s)
        if stop in readable:
            return
        for source in readable:
            sources[source].take()
        for way in ways:
            way.deliver()


def _within(wait_s: float) -> float:
    return min(max(wait_s, 0.0), _LONGEST_WAIT_S)


def _open(end: Sequence[str]) -> int:
    namespace, device = end
    with inside(namespace):
        return open_tun(device)


def main() -> None:
    """Run the link of the parent's task until the parent asks this process to finish."""
    with ending_with_parent():
        _run_link(receive())


def _link(data: Mapping[str, Any]) -> LinkConfig:
    if data.get("trace") is None:
        return LinkConfig(**data)
    # Here, because a link without a trace needs no numpy, which takes long to load.
    from jamlab.networks.model.packet_trace import link_of

    return link_of(data)


def _run_link(task: Mapping[str, Any]) -> None:
    config = _link(task["config"])
    near, far = (_open(task[end]) for end in ("near", "far"))
    ways = ("up", config), ("down", config.downwards)
    up, down = (Shaper(each, random.Random(f"{task['seed']} {way}")) for way, each in ways)
    send({"real_time": RealTime(PRIORITY).ask()})
    with (
        collector_paused(collect=False),  # no code here makes cycles; collecting delays packets
        suppress(OSError),  # a namespace may be removed first, and the device with it
    ):
        carry([Way(near, far, up), Way(far, near, down)], sys.stdin.fileno())
    send({"up": asdict(up.report()), "down": asdict(down.report())})


if __name__ == "__main__":
    main()
