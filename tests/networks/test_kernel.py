"""Labs on this machine's kernel: what gets through, and what is left behind."""

import socket
import subprocess

import pytest

from jamlab.networks.behaviour import PORT_RESTRICTED
from jamlab.networks.kernel import KernelLab, unavailable
from jamlab.networks.topology import HostConfig, LanConfig, Topology

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=unavailable() or "")

HOME = Topology(
    (
        HostConfig("stun", addresses=2),
        LanConfig("home", (HostConfig("ada"), HostConfig("eve")), (PORT_RESTRICTED,)),
    )
)


def test_a_command_runs_on_its_host():
    with KernelLab(HOME) as lab:
        ada = lab.host("ada")
        printed = subprocess.check_output(ada.command("ip", "-br", "-4", "address"), text=True)
        assert ada.addresses == ("10.0.1.1",)
        assert "10.0.1.1/32" in printed


def test_packets_get_out_and_answers_in():
    with KernelLab(HOME) as lab:
        with lab.host("stun").inside():
            stun = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with lab.host("ada").inside():
            ada = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with stun, ada:
            for end in (stun, ada):
                end.settimeout(10)
            stun.bind(("198.18.0.1", 3478))
            ada.sendto(b"hello", ("198.18.0.1", 3478))
            _, seen = stun.recvfrom(64)
            assert seen == ("198.18.0.3", ada.getsockname()[1])
            stun.sendto(b"answer", seen)
            assert ada.recvfrom(64) == (b"answer", ("198.18.0.1", 3478))
