"""The process between a link's two TUN devices: ``python -m jamlab.networks.kernel.tun_carrier``.

It is a child process (`jamlab.process.parent`) that says when both devices are there, carries
packets until it is to finish, and tells what became of them. Its devices go with it.

It waits with `select`, whose timeouts are microseconds (epoll's are milliseconds), as SCHED_FIFO
where it may: such a thread is woken at once, and its timers have no slack (prctl(2)). No packet
leaves early, for time is read after it was taken and again before it is put out.
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
"""Above a session's in real time (2): wires do not wait for musicians. Below sound cards' (5)."""

_LARGEST = 65_535  # bytes of an IP packet
_BURST = 16  # packets taken from one side before the other has its turn
_LONGEST_WAIT_S = 3600.0


class Way:
    """One direction: from one device to the other.

    Parameters
    ----------
    source, sink : int
        File descriptors that do not block, a packet each read and write.
    shaper : Shaper
        What happens in between.
    """

    def __init__(self, source: int, sink: int, shaper: Shaper) -> None:
        self.source = source
        self.shaper = shaper
        self._sink = sink

    def take(self) -> None:
        """Take the packets that are there, up to a burst of them."""
        with suppress(BlockingIOError):
            for _ in range(_BURST):
                packet = os.read(self.source, _LARGEST)
                self.shaper.enter(packet, time.monotonic())

    def deliver(self) -> None:
        """Put out the packets whose time has come."""
        for packet in self.shaper.leaving(time.monotonic()):
            try:
                os.write(self._sink, packet)
            except OSError:  # the far interface is down, or has no room
                self.shaper.refused += 1


def carry(ways: Sequence[Way], stop: int) -> None:
    """Carry packets until a file descriptor has something to read, or ends.

    Raises
    ------
    OSError
        When a device is gone.
    """
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
    """Be a link, as the parent says, until it wants this process to finish."""
    with ending_with_parent():
        _be_a_link(receive())


def _be_a_link(task: Mapping[str, Any]) -> None:
    config = LinkConfig(**task["config"])
    near, far = (_open(task[end]) for end in ("near", "far"))
    up, down = (Shaper(config, random.Random(f"{task['seed']} {way}")) for way in ("up", "down"))
    send({"real_time": RealTime(PRIORITY).ask()})
    with (
        collector_paused(collect=False),  # nothing makes cycles; collecting holds packets up
        suppress(OSError),  # a namespace was removed first, and a device with it
    ):
        carry([Way(near, far, up), Way(far, near, down)], sys.stdin.fileno())
    send({"up": asdict(up.report()), "down": asdict(down.report())})


if __name__ == "__main__":
    main()
