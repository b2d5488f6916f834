"""Tests of jamlab.networks.simulated.segment."""

from jamlab.networks.model.packet import TCP, Packet
from jamlab.networks.simulated.segment import reset_for


def test_a_reset_is_not_answered():
    packet = Packet(("1.1.1.1", 1), ("2.2.2.2", 2), b"\2" + bytes(8), TCP)
    reset = reset_for(packet)
    assert (reset.source, reset.destination) == (packet.destination, packet.source)
    assert reset_for(reset) is None
