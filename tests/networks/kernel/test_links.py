"""Impaired links of a lab: that the right cables are impaired, between the right hosts."""

import socket
import time

from jamlab.networks.kernel.lab import KernelLab
from jamlab.networks.kernel.wiring import plan
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, SYMMETRIC, FirewallType
from jamlab.networks.model.topology import PERFECT, HostConfig, LanConfig, Topology

from .wires import needs_lab

ACCESS, WIFI = LinkConfig(delay_s=0.02), LinkConfig(delay_s=0.005)
WORLD = Topology(
    (
        HostConfig("server"),
        LanConfig(
            "carrier",
            (LanConfig("home", (HostConfig("ada", WIFI),), (PORT_RESTRICTED,)),),
            (FirewallType(), SYMMETRIC),
            ACCESS,
        ),
    )
)
TIMEOUT_S = 30.0


def test_a_networks_link_is_outside_of_all_its_boxes():
    planned = plan(WORLD)
    links = {cable.member: cable.link for cable in planned.cables if cable.member}
    assert links == {"server": PERFECT, "carrier": ACCESS, "home": PERFECT, "ada": WIFI}
    (uplink,) = [cable for cable in planned.cables if cable.member == "carrier"]
    assert uplink.outer == 0
    assert planned.boxes["carrier"][-1] == uplink.inner
    assert [cable.link for cable in planned.cables if not cable.member] == [PERFECT]


@needs_lab
def test_a_packet_passes_all_links_on_its_way_there_and_back():
    with KernelLab(WORLD) as lab:
        assert set(lab.links) == {"carrier", "ada"}
        with lab.host("server").inside():
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with lab.host("ada").inside():
            ada = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with server, ada:
            for end in (server, ada):
                end.settimeout(TIMEOUT_S)
            server.bind((lab.host("server").addresses[0], 4000))
            sent_s = time.monotonic()
            ada.sendto(b"there", server.getsockname())
            _, seen = server.recvfrom(64)
            came_s = time.monotonic()
            server.sendto(b"back", seen)
            assert ada.recv(64) == b"back"
            back_s = time.monotonic()
    both_s = ACCESS.delay_s + WIFI.delay_s
    assert came_s - sent_s >= both_s
    assert back_s - came_s >= both_s
    for link in lab.links.values():
        assert (link.report.up.sent, link.report.down.sent) == (1, 1)
