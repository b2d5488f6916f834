"""The carrier of packets between two ends that need no root: sockets that keep packets apart."""

import os
import random
import select
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.kernel import tun_carrier
from jamlab.networks.kernel.shaper import Shaper
from jamlab.networks.kernel.tun_carrier import PRIORITY, Way, carry
from jamlab.networks.model.link import LinkConfig
from jamlab.process.child import Child, ChildError
from jamlab.process.real_time import PRIORITY as SESSIONS
from tests.examples import examples

PATIENCE_S = 30.0


def ends():
    """A socket for a test, and the one a carrier has in its stead of a device."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    its.setblocking(False)
    ours.settimeout(PATIENCE_S)
    return ours, its


@contextmanager
def carried(config):
    """Two sockets with a link between them, and the shapers of both ways."""
    (near, near_device), (far, far_device) = ends(), ends()
    stop, ours = os.pipe()
    up, down = (Shaper(config, random.Random(seed)) for seed in (1, 2))
    ways = [
        Way(near_device.fileno(), far_device.fileno(), up),
        Way(far_device.fileno(), near_device.fileno(), down),
    ]
    carrier = threading.Thread(target=carry, args=(ways, stop))
    carrier.start()
    try:
        yield near, far, up, down
    finally:
        os.close(ours)
        carrier.join()
        os.close(stop)
        for each in (near, near_device, far, far_device):
            each.close()


@pytest.fixture(scope="module")
def plain():
    with carried(LinkConfig()) as found:
        yield found


class TestCarry:
    @examples(200)
    @given(packets=st.lists(st.binary(min_size=1, max_size=1500), max_size=20), back=st.booleans())
    def test_changes_nothing_and_keeps_the_order(self, plain, packets, back):
        near, far, _, _ = plain
        sender, receiver = (far, near) if back else (near, far)
        for packet in packets:
            sender.send(packet)
        assert [receiver.recv(65_535) for _ in packets] == packets

    def test_is_never_early_in_either_direction(self):
        with carried(LinkConfig(delay_s=0.03, jitter_s=0.002)) as (near, far, up, down):
            for sender, receiver in ((near, far), (far, near)):
                sent_s = []
                for number in range(50):
                    sent_s.append(time.monotonic())
                    sender.send(bytes([number]))
                for number, at_s in enumerate(sent_s):
                    assert receiver.recv(8) == bytes([number])
                    assert time.monotonic() - at_s >= 0.03
        assert up.report().sent == down.report().sent == 50

    def test_takes_turns(self):
        """A side that sends without end does not keep the other from being heard."""
        with carried(LinkConfig()) as (near, far, _, _):
            near.setblocking(False)
            with suppress(BlockingIOError):
                for _ in range(10_000):
                    near.send(b"flood")
            far.send(b"word")
            select.select([near], [], [], PATIENCE_S)
            assert near.recv(8) == b"word"

    def test_counts_what_the_far_end_does_not_take(self):
        ours, device = ends()
        shaper = Shaper(LinkConfig(), random.Random(1))
        gone, broken = ends()
        gone.close()
        with ours, device, broken:
            way = Way(device.fileno(), broken.fileno(), shaper)
            ours.send(b"packet")
            way.take()
            way.deliver()
        assert shaper.refused == 1

    def test_ends_when_a_device_does(self):
        ours, device = ends()
        other, far = ends()
        stop, kept = os.pipe()
        shapers = [Shaper(LinkConfig(), random.Random(1)) for _ in "ab"]
        ways = [Way(device.fileno(), far.fileno(), shapers[0])]
        ways.append(Way(os.open("/proc/self/mem", os.O_RDONLY), device.fileno(), shapers[1]))
        try:
            with ours, device, other, far, pytest.raises(OSError, match="error"):
                carry(ways, stop)
        finally:
            for descriptor in (stop, kept, ways[1].source):
                os.close(descriptor)


class TestProcess:
    def test_says_in_a_sentence_what_is_wrong(self):
        task = {"config": {}, "seed": 1, "near": ["nowhere", "a"], "far": ["nowhere", "b"]}
        sentence = "the process of the link ended with status 1: there is no namespace nowhere"
        with (
            Child("the link", "jamlab.networks.kernel.tun_carrier", task) as carrier,
            pytest.raises(ChildError, match=sentence),
        ):
            carrier.receive()


def test_wires_do_not_wait_for_musicians():
    assert SESSIONS < PRIORITY < 5  # JACK's clients


def test_time_without_end_is_not_waited_for_at_once():
    assert tun_carrier._within(1e300) <= 3600
    assert tun_carrier._within(-1.0) == 0
