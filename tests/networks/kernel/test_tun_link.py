"""A link of TUN devices between two namespaces: packets of this machine's kernel on it."""

import contextlib
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from scipy import stats

from jamlab.networks.kernel.lab import KernelLab
from jamlab.networks.kernel.namespace import run
from jamlab.networks.kernel.tun import TunError
from jamlab.networks.kernel.tun_link import TunEnd, TunLink
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import HostConfig, Topology
from jamlab.networks.model.trace import DelayTrace
from tests.examples import examples
from tests.leaks import until

from .wires import HEADERS, needs_lab, number_of, numbered, own_namespaces, wire

pytestmark = needs_lab

NOTHING_TO_SPEAK_OF = LinkConfig(delay_s=1e-9)
"""Not perfect, so that a link is there."""
MTU = 1500


def devices(namespace):
    told = run("ip", "-netns", namespace, "-brief", "link")
    return {line.split()[0] for line in told.splitlines()}


@pytest.fixture
def pair():
    """Two namespaces with nothing between them."""
    with KernelLab(Topology((HostConfig("one"), HostConfig("two"))), name="pair") as lab:
        yield [lab.host(name).namespace for name in ("one", "two")]


@pytest.fixture(scope="module")
def transparent():
    with wire(NOTHING_TO_SPEAK_OF) as found:
        yield found


class TestPackets:
    @examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.binary(max_size=MTU - HEADERS), st.booleans())
    @example(b"", False)
    @example(b"\0" * (MTU - HEADERS), True)
    @example(b"\xff" * 8000, False)  # in fragments
    def test_come_out_as_they_went_in(self, transparent, payload, back):
        ends = transparent.near, transparent.far
        sender, receiver = reversed(ends) if back else ends
        sender.send(payload)
        assert receiver.recv(65_535) == payload

    def test_take_as_long_as_they_are_to_or_longer_and_keep_their_order(self):
        with wire(LinkConfig(delay_s=0.02, jitter_s=0.005)) as line:
            sent_s, came = line.burst(numbered(200))
        assert [number_of(payload) for payload, _ in came] == list(range(200))
        for (_, came_s), at_s in zip(came, sent_s, strict=True):
            assert came_s - at_s >= 0.02
        up = line.link.report.up
        assert up.sent >= 201
        assert up.lost == up.dropped == up.refused == 0
        assert 0 <= up.late_median_s <= up.late_p99_s <= up.late_max_s

    def test_take_as_long_as_in_a_trace(self):
        """Which travels to the link's process; there and back, as it is replayed both ways."""
        even = DelayTrace("even", np.arange(100) / 100, np.full(100, 0.02))
        with wire(LinkConfig(trace=even, delay_s=0.01)) as line:
            sent_s, came = line.burst(numbered(200))
        assert [number_of(payload) for payload, _ in came] == list(range(200))
        for (_, came_s), at_s in zip(came, sent_s, strict=True):
            assert came_s - at_s >= 0.03
        assert line.link.report.up.lost == 0

    @pytest.mark.parametrize("once", [True, False])
    def test_are_lost_in_a_trace_on_its_ways_alone(self, once):
        """A trace that is replayed once leaves the way down alone; its losses come first."""
        sent_s = np.arange(1000.0)
        lossy = DelayTrace("lossy", sent_s, np.where(sent_s < 20, 0.0, np.nan))
        with wire(LinkConfig(trace=lossy, trace_once=once, delay_s=1e-9)) as line:
            for payload in numbered(50):
                line.far.send(payload)
            line.near.settimeout(2.0 if once else 0.1)
            came = []
            with contextlib.suppress(TimeoutError):
                while len(came) < 50:
                    came.append(line.near.recv(100))
        assert len(came) == (50 if once else 0)

    def test_get_lost_as_often_as_they_are_to(self):
        share, packets = 0.2, 2000
        with wire(LinkConfig(loss=share)) as line:
            came = []
            for first in range(0, packets, 100):  # the interface's queue is not endless
                came += line.burst(numbered(100, first=first))[1]
        arrived = {number_of(payload) for payload, _ in came}
        assert len(came) == len(arrived) <= packets
        test = stats.binomtest(packets - len(arrived), packets, share)
        assert test.pvalue > 1e-6
        up = line.link.report.up
        assert stats.binomtest(up.lost, up.sent, share).pvalue > 1e-6

    def test_go_out_at_the_rate_and_no_faster(self):
        """1000 bytes with headers take 8 ms at 1 Mbit/s; what waits over 100 ms is dropped."""
        each_s, packets = 0.008, 200
        with wire(LinkConfig(rate_bit_s=1e6, queue_s=0.1)) as line:
            sent_s, came = line.burst(numbered(packets, 1000 - HEADERS))
        for place, (_, came_s) in enumerate(came, start=1):
            assert came_s - sent_s[0] >= place * each_s
        up = line.link.report.up
        assert up.dropped > 0
        assert len(came) >= 0.1 / each_s
        assert [number_of(payload) for payload, _ in came][:10] == list(range(10))

    def test_come_twice_where_they_are_to(self):
        with wire(LinkConfig(duplication=1)) as line:
            came = line.burst(numbered(50))[1]
        assert [number_of(payload) for payload, _ in came] == [n for n in range(50) for _ in "ab"]
        up = line.link.report.up
        assert up.duplicated == up.sent


class TestEnd:
    def test_leaves_neither_a_device_nor_a_process(self, pair):
        one, two = pair
        before = devices(one), devices(two)
        with TunLink(NOTHING_TO_SPEAK_OF, TunEnd(one, "up0"), TunEnd(two, "down0")) as link:
            assert devices(one) - before[0] == {"up0"}
            assert devices(two) - before[1] == {"down0"}
        assert (devices(one), devices(two)) == before
        assert link.report.up.sent == link.report.down.sent == 0
        assert link.report.to_dict()["up"]["sent"] == 0

    async def test_of_an_owner_that_is_killed_is_the_links(self, pair):
        one, two = pair
        script = (
            "import sys\n"
            "from jamlab.networks.model.link import LinkConfig\n"
            "from jamlab.networks.kernel.tun_link import TunEnd, TunLink\n"
            "one, two = (TunEnd(each, 'up0') for each in sys.argv[1:])\n"
            "with TunLink(LinkConfig(), one, two):\n"
            "    print('there', flush=True)\n"
            "    sys.stdin.read()\n"
        )
        command = [sys.executable, "-c", script, one, two]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, **pipes) as owner:  # noqa: ASYNC220 (nothing else runs)
            assert owner.stdout.readline() == b"there\n"
            assert "up0" in devices(one) & devices(two)
            owner.send_signal(signal.SIGKILL)
        await until(lambda: "up0" not in devices(one) | devices(two), "for the devices to go")

    def test_of_the_process_is_no_error_of_the_owners(self, pair):
        one, two = pair
        before = devices(one)
        with TunLink(NOTHING_TO_SPEAK_OF, TunEnd(one, "up0"), TunEnd(two, "up0")) as link:
            carrier = psutil.Process(link._carrier.pid)
            carrier.kill()
            carrier.wait()
            assert devices(one) == before
        assert link.report is None

    def test_of_a_lab_is_its_links(self):
        before = own_namespaces()
        with wire(LinkConfig(delay_s=0.001)) as line:
            assert line.link.report is None
        assert line.link.report.up.sent == 0
        assert own_namespaces() == before


class TestRefused:
    def test_a_namespace_that_is_not_there(self, pair):
        with pytest.raises(TunError, match="there is no namespace nowhere: use a lab's hosts"):
            TunLink(LinkConfig(), TunEnd(pair[0], "up0"), TunEnd("nowhere", "up0")).__enter__()
        assert "up0" not in devices(pair[0])

    def test_a_name_that_is_taken(self, pair):
        with pytest.raises(TunError, match="cannot make the TUN device 'eth0': "):
            TunLink(LinkConfig(), TunEnd(pair[0], "eth0"), TunEnd(pair[1], "up0")).__enter__()

    @pytest.mark.parametrize("name", ["", "sixteen-letters-"])
    def test_a_name_no_interface_can_have(self, pair, name):
        with pytest.raises(TunError, match="is not an interface name: use 1 to 15 letters"):
            TunLink(LinkConfig(), TunEnd(pair[0], name), TunEnd(pair[1], "up0")).__enter__()
