"""Whether there is netem: what is said, against the kernel's own answer."""

import subprocess

from jamlab.networks import netem
from jamlab.networks.kernel import KernelLab
from jamlab.networks.model.topology import HostConfig, Topology
from jamlab.networks.netem import why_no_netem

from .wires import needs_lab, own_namespaces


@needs_lab
def test_it_is_what_tc_says_and_leaves_nothing():
    with KernelLab(Topology((HostConfig("ada"),)), name="netem") as lab:
        qdisc = ["tc", "qdisc", "add", "dev", "eth0", "root", "netem", "loss", "1%"]
        asked = subprocess.run(lab.host("ada").command(*qdisc), capture_output=True, check=False)
        before = own_namespaces()
        reason = why_no_netem()
        assert own_namespaces() == before
    assert (reason is None) == (asked.returncode == 0)
    assert reason is None or reason.startswith("this kernel has no netem")


def test_without_tc_nobody_is_asked(monkeypatch):
    monkeypatch.setattr(netem.shutil, "which", lambda _: None)
    assert why_no_netem() == "tc not found: apt-get install -y iproute2"
