"""Two hosts of a lab with one link between them, and a socket on each."""

import socket
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from jamlab.networks.kernel.lab import KernelLab, unavailable
from jamlab.networks.kernel.namespace import names, own_prefix
from jamlab.networks.kernel.tun import why_no_tun
from jamlab.networks.model.topology import HostConfig, Topology

reason = unavailable() or why_no_tun()
needs_lab = pytest.mark.skipif(reason is not None, reason=reason or "")

NEAR, FAR = ("198.18.0.1", 4001), ("198.18.0.2", 4002)
HEADERS = 28  # IPv4 and UDP
END = b"end"
"""What ends a burst begins with it, and has its number."""
_AGAIN_S = 0.3  # before a lost "end" is sent again
_ROOM = 1 << 23


def own_namespaces():
    """Return those of this process: other tests' labs come and go."""
    return {name for name in names() if name.startswith(own_prefix())}


@dataclass
class Wire:
    """A link, and a socket at either end of it."""

    link: object
    near: socket.socket
    far: socket.socket
    bursts: int = 0

    def burst(self, payloads):
        """Send all at once; returns when each was sent, and what came at the far end, and when.

        The link keeps the order, so all that comes has come when the end has.
        """
        sent_s, came = [], []
        self.bursts += 1
        end = b"%s %d" % (END, self.bursts)
        for payload in payloads:
            sent_s.append(time.monotonic())
            self.near.send(payload)
        self.near.send(end)
        while (received := self._received(end)) != end:
            if not received.startswith(END):
                came.append((received, time.monotonic()))
        return sent_s, came

    def _received(self, end):
        while True:
            try:
                return self.far.recv(65_535)
            except TimeoutError:  # it was lost
                self.near.send(end)


def numbered(count, size=100, first=0):
    return [number.to_bytes(4, "big").ljust(size, b".") for number in range(first, first + count)]


def number_of(payload):
    return int.from_bytes(payload[:4], "big")


@contextmanager
def wire(link):
    """The far machine hangs on the link, the near one on a cable that does nothing."""
    topology = Topology((HostConfig("near", link), HostConfig("far")))
    with KernelLab(topology, name="wire") as lab, ExitStack() as stack:
        ends = []
        for name, own, other in (("near", NEAR, FAR), ("far", FAR, NEAR)):
            with lab.host(name).inside():
                end = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            end.setsockopt(socket.SOL_SOCKET, 33, _ROOM)  # SO_RCVBUFFORCE
            end.bind(own)
            end.connect(other)
            end.settimeout(_AGAIN_S)
            ends.append(end)
        yield Wire(lab.links.get("near"), *ends)
