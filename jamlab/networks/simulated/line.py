"""Both directions of a link, and when what is sent into one comes out.

DTLS handshakes are spared by lossy links on virtual time: OpenSSL's retransmission timer reads the
machine's clock, on which no time passes, so one lost flight would be the end of the connection. All
their packets count as equally long there: OpenSSL's signatures and certificates are a byte or two
longer or shorter from run to run, and the same seed must give the same times. Streams are always
spared, see `jamlab.networks.simulated.stream`.
"""

from collections import Counter
from collections.abc import Callable

from jamlab.networks.model.link import Link, LinkConfig
from jamlab.networks.model.packet import TCP, Packet
from jamlab.networks.model.topology import PERFECT
from jamlab.networks.simulated.clock import VirtualClock
from jamlab.networks.simulated.loop import SimulatedLoop

IP_UDP_HEADER = 28
"""Bytes a link carries beside the payload (IPv4 and UDP)."""

HANDSHAKE_BYTES = 512
"""What a packet of a DTLS handshake counts as on virtual time; they have 40 to 800."""


class Line:
    """Both directions of a link, and when what is sent into one comes out."""

    def __init__(self, loop: SimulatedLoop, config: LinkConfig, lost: Counter[str]) -> None:
        self._loop = loop
        self._lost = lost
        self._spares_dtls = isinstance(loop.clock, VirtualClock)
        self.cut = False
        """While it is, nothing gets through."""
        self.impair(config)

    def impair(self, config: LinkConfig) -> None:
        """Do to packets as `config` says from now on; those on their way are not concerned."""
        loop = self._loop
        self.up = None if config == PERFECT else Link(config, loop.random)
        self.down = self.up if not self.up or self.up.memoryless else Link(config, loop.random)

    def carry(
        self, link: Link | None, packet: Packet, at_s: float, then: Callable[[Packet, float], None]
    ) -> None:
        """Send a packet into one direction at a time to come."""
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
        arrivals_s = link.transit(size + IP_UDP_HEADER, at_s, spared)
        if not arrivals_s:
            self._lost["link"] += 1
        for arrival_s in arrivals_s:
            then(packet, arrival_s)


def is_handshake(payload: bytes) -> bool:
    """Tell DTLS from STUN and RTP by the first byte (RFC 7983), also inside of ChannelData.

    Application data is excepted: what is in it is sent again by those who sent it (SCTP).
    """
    in_channel = len(payload) > 4 and 0x40 <= payload[0] <= 0x4F
    first = payload[4 if in_channel else 0] if payload else 0
    return 20 <= first <= 63 and first != 23
