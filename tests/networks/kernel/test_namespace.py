"""Namespaces: ownership, entry, removal, and the errors of tools."""

import os
import socket
import subprocess
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.kernel import namespace
from jamlab.networks.kernel.namespace import KernelLabError, unavailable

needs_kernel = pytest.mark.skipif(unavailable() is not None, reason=unavailable() or "")


@pytest.fixture(name="space")
def a_namespace():
    name = f"{namespace.own_prefix()}test"
    namespace.run("ip", "netns", "add", name)
    yield name
    namespace.remove([name])


def interfaces():
    return {name for _, name in socket.if_nameindex()}


# Whose they are


def test_when_a_process_began():
    assert namespace.started(os.getpid()) > namespace.started(1) >= 0
    with subprocess.Popen(["sleep", "60"]) as child:
        assert namespace.started(child.pid) >= namespace.started(os.getpid())
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert namespace.started(child.pid) is None  # dead, though nobody has taken note yet
    assert namespace.started(child.pid) is None


def test_only_what_has_a_dead_owner_is_left_over():
    with subprocess.Popen(["true"]) as dead:
        pass
    began = namespace.started(os.getpid())
    used_again = f"jamlab-{os.getpid()}-{began + 1}-0-lab-0-backbone"  # the process id, that is
    owner_gone = f"jamlab-{dead.pid}-{began}-0-lab-0-backbone"
    others = [
        f"{namespace.own_prefix()}0-lab-0-backbone",
        f"xjamlab-{dead.pid}-{began}-0-lab-0-backbone",
        f"jamlab-{dead.pid}-0",
        "jamlab",
        "somebody-elses",
    ]
    assert namespace.leftovers([used_again, *others, owner_gone]) == [used_again, owner_gone]


@given(st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=40)))
def test_no_name_of_others_is_ever_taken_for_a_leftover(names):
    assert namespace.leftovers(names) == []


@given(st.text(st.characters(exclude_characters="\n"), min_size=1))
def test_whatever_a_name_ends_with_its_owner_is_known(end):
    assert namespace.leftovers([f"{namespace.own_prefix()}{end}"]) == []
    assert namespace.leftovers([f"jamlab-{os.getpid()}-1-{end}"]) != []


# What is inside


@needs_kernel
def test_inside_are_other_interfaces_and_outside_the_same_again(space):
    before = interfaces()
    with namespace.inside(space):
        assert interfaces() == {"lo"}
        printed = subprocess.check_output(["ip", "-o", "link"], text=True)
        assert printed.count("\n") == 1
    assert interfaces() == before


@needs_kernel
def test_an_exception_leads_outside(space):
    before = interfaces()
    with pytest.raises(ZeroDivisionError), namespace.inside(space):
        1 / 0  # noqa: B018
    assert interfaces() == before


@needs_kernel
def test_other_threads_stay_outside(space):
    seen, before, go = [], interfaces(), threading.Event()
    started_outside = threading.Thread(target=lambda: (go.wait(), seen.append(interfaces())))
    started_outside.start()
    with namespace.inside(space):
        started_inside = threading.Thread(target=lambda: seen.append(interfaces()))
        go.set()
        started_outside.join()
        started_inside.start()
        started_inside.join()
    assert seen == [before, {"lo"}]  # a thread begins where the one is that starts it


@needs_kernel
def test_a_namespace_that_is_not_there():
    before = interfaces()
    with pytest.raises(KernelLabError, match="no namespace nowhere"), namespace.inside("nowhere"):
        pass
    assert interfaces() == before


@needs_kernel
def test_settings(space):
    with namespace.inside(space):
        namespace.configure({"ipv4/ip_forward": "1", "ipv4/ip_local_port_range": "20000 20099"})
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
            namespace.run("ip", "link", "set", "lo", "up")
            port.bind(("127.0.0.1", 0))
            assert 20000 <= port.getsockname()[1] <= 20099


@needs_kernel
def test_what_runs_inside_is_killed_when_it_is_removed():
    name = f"{namespace.own_prefix()}busy"
    namespace.run("ip", "netns", "add", name)
    with namespace.inside(name):
        shell = subprocess.Popen(["sh", "-c", "sleep 1000 & wait"])
        namespace.remove([name])
    assert shell.wait() == -9
    assert name not in namespace.names()
    namespace.remove([name])  # gone already


# Tools


@needs_kernel
def test_a_tool_that_fails():
    with pytest.raises(KernelLabError, match=r"^ip netns delete nowhere failed: .*No such file"):
        namespace.run("ip", "netns", "delete", "nowhere")
    with pytest.raises(KernelLabError, match="false failed: status 1"):
        namespace.run("false")


def test_a_tool_reads_and_prints():
    assert namespace.run("cat", given="one\n") == "one\n"


def test_without_root(monkeypatch):
    monkeypatch.setattr(namespace.shutil, "which", lambda tool: tool)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "run as root" in unavailable()


def test_without_the_tools(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert unavailable() == (
        "ip, nft, conntrack, nsenter, setpriv not found: "
        "apt-get install -y iproute2 nftables conntrack"
    )
