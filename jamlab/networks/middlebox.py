"""What stands between an inside and an outside, whatever it does to the packets."""

from typing import Protocol

from jamlab.networks.model.packet import Packet


class Middlebox(Protocol):
    """A box that packets pass on their way; boxes in a row are asked one after the other.

    Time is passed in, in seconds of any origin, and must not go backwards.
    """

    def outgoing(self, packet: Packet, now_s: float) -> Packet | None:
        """Return what leaves on the outside, or None when the packet is dropped."""

    def incoming(self, packet: Packet, now_s: float) -> Packet | None:
        """Return what arrives on the inside, or None when the packet is dropped."""
