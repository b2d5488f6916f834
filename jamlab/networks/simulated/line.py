"""A simulated link: both directions, on the timers of a simulated loop.

In virtual time lossy links do not drop packets of DTLS handshakes: OpenSSL's retransmission timer
reads the machine's clock, on which hardly any time passes, so a lost flight would never be sent
again. Handshake packets also count as equally long: OpenSSL's signatures and certificates vary by a
byte or two from run to run, and the same seed must give the same times. Segments of streams are
never dropped, see `jamlab.networks.simulated.stream`.
"""

from collections import Counter
from collections.abc import Callable

from jamlab.networks.model.addresses import is_ipv6
from jamlab.networks.model.link import Link, LinkConfig
from jamlab.networks.model.packet import TCP, Packet
from jamlab.networks.model.topology import PERFECT
from jamlab.networks.simulated.clock import VirtualClock
from jamlab.networks.simulated.loop import SimulatedLoop

IP_UDP_HEADER = 28
"""Length of the IPv4 and UDP headers, in bytes."""

IPV6_UDP_HEADER = 48
"""The same for IPv6."""

HANDSHAKE_BYTES = 512
"""Nominal length of a DTLS handshake packet in virtual time; real ones have 40 to 800 bytes."""


class Line:
    """A simulated link with both directions."""

    def __init__(self, loop: SimulatedLoop, config: LinkConfig, lost: Counter[str]) -> None:
        self._loop = loop
        self._lost = lost
        self._spares_dtls = isinstance(loop.clock, VirtualClock)
        self.cut = False
        """While True, the link drops every packet."""
        self.impair(config)

    def impair(self, config: LinkConfig) -> None:
        """Change the link's properties for packets sent from now on."""
        loop = self._loop
        self.up = None if config == PERFECT else Link(config, loop.random)
        shared = not self.up or self.up.memoryless
        self.down = self.up if shared else Link(config.downwards, loop.random)

    def carry(
        self, link: Link | None, packet: Packet, at_s: float, then: Callable[[Packet, float], None]
    ) -> None:
        """Send a packet into one direction, now or later; call `then` with its arrival time."""
        if self.cut:
            self._lost["cut"] += 1
        elif link is None:
            then(packet, at_s)
        elif link.memoryless:
            then(packet, link.delayed(at_s))
        elif at_s <= self._loop.time():
            self._transit(link, packet, at_s, then)
        else:
            self._loop.call_at(at_s, self._transit, link, packet, at_s, then)

    def _transit(
        self, link: Link, packet: Packet, at_s: float, then: Callable[[Packet, float], None]
    ) -> None:
        size, spared = len(packet.payload), packet.transport == TCP
        if self._spares_dtls and is_handshake(packet.payload):
            size, spared = HANDSHAKE_BYTES, True
        header = IPV6_UDP_HEADER if is_ipv6(packet.destination[0]) else IP_UDP_HEADER
        arrivals_s = link.transit(size + header, at_s, spared)
        if not arrivals_s:
            self._lost["link"] += 1
        for arrival_s in arrivals_s:
            then(packet, arrival_s)


def is_handshake(payload: bytes) -> bool:
    """Return whether a payload is DTLS by its first byte (RFC 7983), also inside ChannelData.

    DTLS application data does not count: its protocol (SCTP) has its own retransmissions.
    """
    in_channel = len(payload) > 4 and 0x40 <= payload[0] <= 0x4F
    first = payload[4 if in_channel else 0] if payload else 0
    return 20 <= first <= 63 and first != 23
