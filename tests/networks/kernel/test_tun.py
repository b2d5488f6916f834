"""TUN devices and netem: availability and reasons."""

import errno
import os
import stat
import subprocess

import pytest

from jamlab.networks.kernel import tun
from jamlab.networks.kernel.lab import KernelLab
from jamlab.networks.kernel.tun import TunError, open_tun, why_no_netem, why_no_tun
from jamlab.networks.model.topology import HostConfig, Topology
from tests.networks.kernel.wires import needs_lab, own_namespaces


@pytest.fixture
def node(monkeypatch, tmp_path):
    """Another path for the device node, in a folder that is not there yet."""
    path = tmp_path / "net" / "tun"
    monkeypatch.setattr(tun, "NODE", path)
    return path


def test_a_node_that_is_missing_is_made(node, monkeypatch):
    made = []

    def mknod(path, mode, device):
        made.append((path, mode, os.major(device), os.minor(device)))
        path.touch()

    monkeypatch.setattr(os, "mknod", mknod)
    assert why_no_tun() is None
    assert made == [(node, stat.S_IFCHR | 0o666, 10, 200)]
    assert why_no_tun() is None
    assert len(made) == 1


def test_without_the_right_to_make_it_the_reason_says_so(node, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "mknod", refuse)
    assert why_no_tun() == "TUN devices need root (CAP_NET_ADMIN, CAP_MKNOD): run as root"


def test_without_the_module_the_reason_says_what_to_load(node, monkeypatch):
    node.parent.mkdir()
    node.touch()

    def refuse(*_):
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(os, "open", refuse)
    assert why_no_tun() == f"{node} cannot be opened (No such device): modprobe tun"
    with pytest.raises(TunError, match=r"modprobe tun$"):
        open_tun("up0")


def test_a_file_that_is_no_device_is_refused(node):
    node.parent.mkdir()
    node.touch()
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(TunError, match="cannot make the TUN device 'up0': Inappropriate ioctl"):
        open_tun("up0")
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_elsewhere_there_are_none(monkeypatch):
    monkeypatch.setattr(tun.sys, "platform", "darwin")
    assert why_no_tun() == "TUN devices in network namespaces exist on Linux only: run on Linux"


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
    monkeypatch.setattr(tun.shutil, "which", lambda _: None)
    assert why_no_netem() == "tc not found: apt-get install -y iproute2"
