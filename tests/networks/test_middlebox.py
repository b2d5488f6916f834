"""What every middlebox promises, of each of them and of boxes in a row."""

import inspect
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.firewall import Firewall
from jamlab.networks.middlebox import Middlebox
from jamlab.networks.model.nat_behaviour import Filtering, FirewallType, Mapping, NatType
from jamlab.networks.model.packet import TCP, UDP, Packet
from jamlab.networks.nat import Nat

SERVER = ("192.0.2.1", 3478)
HOME, CARRIER = "100.64.0.7", "198.51.100.1"


def nat(mapping, filtering, host):
    return Nat(NatType(mapping, filtering), [host], random.Random(1))


@pytest.mark.parametrize("box", [Nat, Firewall])
@pytest.mark.parametrize("question", ["outgoing", "incoming"])
def test_interface(box, question):
    asked = inspect.signature(getattr(box, question))
    assert asked == inspect.signature(getattr(Middlebox, question))


@given(
    st.lists(st.tuples(st.sampled_from(Mapping), st.sampled_from(Filtering)), max_size=4),
    st.sampled_from(Filtering),
    st.sampled_from([UDP, TCP]),
    st.integers(1024, 65535),
)
def test_an_answer_comes_back_through_any_row(nats, filtering, transport, port):
    """Whatever leaves, an answer to where it seemed to come from arrives where it came from."""
    boxes = [nat(*kind, f"100.64.0.{k}") for k, kind in enumerate(nats)]
    boxes.append(Firewall(FirewallType(filtering)))
    packet = Packet(("10.0.0.1", port), SERVER, b"out", transport)
    for box in boxes:
        packet = box.outgoing(packet, 0.0)
    packet = Packet(SERVER, packet.source, b"back", transport)
    for box in reversed(boxes):
        packet = box.incoming(packet, 0.0)
    assert packet == Packet(SERVER, ("10.0.0.1", port), b"back", transport)


def test_a_home_behind_a_carrier():
    """Two NATs in a row: the outer one's address is seen, the stricter filter counts."""
    home = nat(Mapping.EIM, Filtering.EIF, HOME)
    carrier = nat(Mapping.EIM, Filtering.ADF, CARRIER)
    sent = carrier.outgoing(home.outgoing(Packet(("10.0.0.1", 5000), SERVER, b""), 0.0), 0.0)
    assert sent.source == (CARRIER, 5000)
    assert carrier.incoming(Packet(("192.0.2.2", 1), sent.source, b""), 0.0) is None
    back = carrier.incoming(Packet(("192.0.2.1", 1), sent.source, b""), 0.0)
    assert back.destination == (HOME, 5000)
    assert home.incoming(back, 0.0).destination == ("10.0.0.1", 5000)
