"""Labs on this machine's kernel: delivery of packets, and complete removal."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from jamlab.networks.kernel import namespace
from jamlab.networks.kernel.lab import KernelLab, KernelLabError, unavailable
from jamlab.networks.kernel.nftables import KernelRefusalError
from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import FULL_CONE, PORT_RESTRICTED, SYMMETRIC, FirewallType
from jamlab.networks.model.topology import PERFECT, HostConfig, LanConfig, Topology
from tests.leaks import DEADLINE_S
from tests.networks.kernel.boxes import HOME, home
from tests.networks.kernel.wires import own_namespaces

needs_kernel = pytest.mark.skipif(unavailable() is not None, reason=unavailable() or "")
STUN = ("198.18.0.1", 3478)
SILENCE_S = 0.1
HERE = Path("/proc/thread-self/ns/net")


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Whatever a test does, its namespaces are gone, and it is where it was."""
    here, children = HERE.readlink(), psutil.Process().children()
    yield
    assert own_namespaces() == set()
    assert HERE.readlink() == here
    assert psutil.Process().children() == children


@contextlib.contextmanager
def port(host, number=0, kind=socket.SOCK_DGRAM):
    with host.inside():
        end = socket.socket(socket.AF_INET, kind)
    with end:
        end.settimeout(DEADLINE_S)
        end.bind((host.addresses[0], number))
        yield end


def silent(end):
    """Whether nothing comes; what comes on one machine comes at once."""
    end.settimeout(SILENCE_S)
    try:
        end.recv(64)
    except TimeoutError:
        return True
    finally:
        end.settimeout(DEADLINE_S)
    return False


def exchange(client, server):
    """Let a client be answered by the server at STUN; returns where its packet came from."""
    client.sendto(b"hello", STUN)
    _, seen = server.recvfrom(64)
    server.sendto(b"answer", seen)
    assert client.recvfrom(64) == (b"answer", STUN)
    return seen


# What gets through


@needs_kernel
def test_a_command_runs_on_its_host():
    with KernelLab(HOME) as lab:
        ada = lab.host("ada")
        printed = subprocess.check_output(ada.command("ip", "-br", "-4", "address"), text=True)
        assert ada.addresses == ("10.0.1.1",)
        assert "10.0.1.1/32" in printed


ENTERS = """
import socket, sys
from jamlab.networks.kernel.lab import KernelHost
KernelHost("eve", sys.argv[1], ()).enter()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
    end.connect(("198.18.0.1", 3478))
    print(end.getsockname()[0])
"""


@needs_kernel
def test_a_process_moves_in():
    with KernelLab(HOME) as lab:
        space = lab.host("eve").namespace
        printed = subprocess.check_output([sys.executable, "-c", ENTERS, space], text=True)
        assert printed == "10.0.1.2\n"


@needs_kernel
def test_packets_get_out_and_answers_in():
    with (
        KernelLab(HOME) as lab,
        port(lab.host("stun"), STUN[1]) as stun,
        port(lab.host("ada")) as ada,
    ):
        assert exchange(ada, stun) == ("198.18.0.3", ada.getsockname()[1])


@contextlib.contextmanager
def ipv6_port(host):
    with host.inside():
        end = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with end:
        end.settimeout(DEADLINE_S)
        end.bind((host.ipv6_addresses[0], 0))
        yield end


@needs_kernel
@pytest.mark.parametrize("link", [PERFECT, LinkConfig(delay_s=0.01)], ids=["cable", "tun"])
@pytest.mark.parametrize(
    ("firewall", "unsolicited", "answer"),
    [
        (Ipv6Firewall.NONE, True, True),
        (Ipv6Firewall.STATEFUL, False, True),
        (Ipv6Firewall.CLOSED, False, False),
    ],
)
def test_ipv6_firewalls_let_in_what_rfc_6092_says(firewall, unsolicited, answer, link):
    """As simulated: `tests/networks/simulated/test_routing.py`; below a carrier that routes."""
    home = LanConfig("home", (HostConfig("ada", ipv6=True),), (SYMMETRIC,), ipv6=firewall)
    carrier = LanConfig("carrier", (home,), (SYMMETRIC,), link, ipv6=Ipv6Firewall.NONE)
    topology = Topology((carrier, HostConfig("eve", ipv6=True)))
    with (
        KernelLab(topology) as lab,
        ipv6_port(lab.host("ada")) as here,
        ipv6_port(lab.host("eve")) as there,
        ipv6_port(lab.host("eve")) as stranger,
    ):
        stranger.sendto(b"first", here.getsockname())
        if unsolicited:
            assert here.recvfrom(64) == (b"first", stranger.getsockname())
        else:
            assert silent(here)
        here.sendto(b"asked", there.getsockname())
        if not answer:
            assert silent(there)
            return
        assert there.recvfrom(64) == (b"asked", here.getsockname())
        there.sendto(b"answer", here.getsockname())
        assert here.recvfrom(64) == (b"answer", there.getsockname())


@needs_kernel
def test_ipv6_behind_nothing_but_its_firewall():
    home = LanConfig("home", (HostConfig("ada", ipv6=True),), (), ipv6=Ipv6Firewall.STATEFUL)
    topology = Topology((home, HostConfig("eve", ipv6=True)))
    with KernelLab(topology) as lab:
        ada, eve = lab.host("ada"), lab.host("eve")
        with port(ada) as here, port(eve) as there:
            there.sendto(b"in", here.getsockname())  # nothing guards its IPv4 address
            assert here.recvfrom(64) == (b"in", there.getsockname())
        with ipv6_port(ada) as here, ipv6_port(eve) as there:
            there.sendto(b"first", here.getsockname())
            assert silent(here)
            here.sendto(b"asked", there.getsockname())
            assert there.recvfrom(64) == (b"asked", here.getsockname())


@needs_kernel
@pytest.mark.parametrize("nat", [FULL_CONE, PORT_RESTRICTED, SYMMETRIC], ids=lambda nat: nat.name)
def test_mapped_ports_are_open_to_everybody_and_sent_from(nat):
    """As simulated: `tests/networks/simulated/test_nat.py`."""
    maps = LanConfig("home", (HostConfig("ada"),), (replace(nat, port_mapping=True),))
    topology = Topology((HostConfig("stun", addresses=2), maps))
    with (
        KernelLab(topology) as lab,
        port(lab.host("stun"), STUN[1]) as stun,
        port(lab.host("stun"), STUN[1] + 1) as stranger,
        port(lab.host("ada")) as ada,
    ):
        own = ada.getsockname()[1]
        outside = lab.map_ports("ada", range(own - 1, own + 2)), own
        assert outside[0] == "198.18.0.3"
        stranger.sendto(b"first", outside)
        assert ada.recvfrom(64) == (b"first", stranger.getsockname())
        for end in (stun, stranger):
            ada.sendto(b"hello", end.getsockname())
            assert end.recvfrom(64) == (b"hello", outside)
        lab.reboot("home")
        stun.sendto(b"lost", outside)
        assert silent(ada)


@needs_kernel
def test_only_the_own_router_is_asked_to_map():
    maps = replace(PORT_RESTRICTED, port_mapping=True)
    inner = LanConfig("inner", (HostConfig("ada"),), (PORT_RESTRICTED,))
    home = LanConfig("home", (HostConfig("ben"),), (FirewallType(), maps))
    carriers = (LanConfig("maps", (inner,), (maps,)), LanConfig("carrier", (home,), (SYMMETRIC,)))
    with KernelLab(Topology((*carriers, HostConfig("eve")))) as lab:
        assert lab.map_ports("ada", [5000]) is None
        assert lab.map_ports("eve", [5000]) is None
        assert lab.map_ports("ben", [5000]).startswith("100.64.")


@needs_kernel
def test_neighbours_reach_each_other_and_nobody_a_private_address_outside():
    with KernelLab(HOME) as lab:
        ada, eve, stun = (lab.host(name) for name in ("ada", "eve", "stun"))
        with port(ada) as one, port(eve) as other, port(stun) as outside:
            one.sendto(b"hello", other.getsockname())
            assert other.recvfrom(64) == (b"hello", one.getsockname())
            outside.sendto(b"hello", one.getsockname())
            assert silent(one)


@needs_kernel
def test_hosts_behind_one_nat_are_given_different_ports():
    with KernelLab(HOME) as lab, contextlib.ExitStack() as stack:
        ports = {
            name: {stack.enter_context(port(lab.host(name))).getsockname()[1] for _ in range(200)}
            for name in ("ada", "eve")
        }
        assert not ports["ada"] & ports["eve"]


@needs_kernel
def test_where_udp_is_blocked_tcp_is_not():
    world = Topology(
        (HostConfig("stun"), home("ada", (PORT_RESTRICTED, FirewallType(udp_blocked=True))))
    )
    with KernelLab(world) as lab:
        stun, ada = lab.host("stun"), lab.host("ada")
        with port(stun, STUN[1]) as udp, port(ada) as client:
            client.sendto(b"hello", STUN)
            assert silent(udp)
        with (
            port(stun, STUN[1], socket.SOCK_STREAM) as tcp,
            port(ada, 0, socket.SOCK_STREAM) as client,
        ):
            tcp.listen()
            client.connect(STUN)
            connected, seen = tcp.accept()
            with connected:
                assert seen[0] == "198.18.0.2"


@needs_kernel
def test_a_stray_packet_does_not_change_the_mapping():
    """If it left a connection behind, what is sent to its sender would come from another port."""
    world = Topology((HostConfig("stun", addresses=2), home("ada", (PORT_RESTRICTED,))))
    with KernelLab(world) as lab:
        stun = lab.host("stun")
        with port(stun, STUN[1]) as first, port(stun) as second, port(lab.host("ada")) as ada:
            seen = exchange(ada, first)
            second.sendto(b"stray", seen)
            assert silent(ada)
            ada.sendto(b"hello", second.getsockname())
            assert second.recvfrom(64) == (b"hello", seen)


@needs_kernel
def test_a_router_that_reboots_forgets():
    with (
        KernelLab(HOME) as lab,
        port(lab.host("stun"), STUN[1]) as stun,
        port(lab.host("ada")) as ada,
    ):
        seen = exchange(ada, stun)
        lab.reboot("home")
        stun.sendto(b"late", seen)
        assert silent(ada)
        assert exchange(ada, stun) == seen


@needs_kernel
def test_two_nats_of_equal_addresses_side_by_side():
    """Labs have their own of everything, so their addresses may be equal."""
    with KernelLab(HOME, name="one") as one, KernelLab(HOME, name="other") as other:
        assert {host.namespace for host in one.hosts}.isdisjoint(h.namespace for h in other.hosts)
        assert "-one-" in one.host("ada").namespace
        with contextlib.ExitStack() as stack:
            for lab in (one, other):
                stun = stack.enter_context(port(lab.host("stun"), STUN[1]))
                ada = stack.enter_context(port(lab.host("ada"), 20000))
                assert exchange(ada, stun) == ("198.18.0.3", 20000)
                assert silent(stun)


# What is left behind


def divided(lab):
    assert len(own_namespaces()) == len(lab.plan.nodes) == 5
    1 / 0  # noqa: B018


@needs_kernel
def test_an_exception_inside():
    lab = KernelLab(HOME)
    with pytest.raises(ZeroDivisionError), lab:
        divided(lab)
    with pytest.raises(KernelLabError, match="not built"):
        lab.host("ada")


@needs_kernel
@pytest.mark.parametrize(
    ("number", "raised"),
    [
        (signal.SIGINT, KeyboardInterrupt),
        (signal.SIGTERM, SystemExit),
        (signal.SIGHUP, SystemExit),
    ],
)
def test_a_signal_inside(number, raised):
    with pytest.raises(raised), KernelLab(HOME):
        signal.raise_signal(number)


@needs_kernel
@pytest.mark.parametrize("step", range(0, 7, 2))
@pytest.mark.parametrize(
    "fails",
    [
        lambda: (_ for _ in ()).throw(KernelLabError("no")),
        lambda: signal.raise_signal(signal.SIGINT),
    ],
)
def test_building_breaks_off(monkeypatch, step, fails):
    """An error stops it at once, Ctrl-C when it is done; nothing stays either way."""
    run, steps = namespace.run, iter(range(step))

    def breaks_off(*command, given=""):
        if next(steps, None) is None:
            monkeypatch.setattr(namespace, "run", run)
            fails()
        return run(*command, given=given)

    monkeypatch.setattr(namespace, "run", breaks_off)
    with pytest.raises((KernelLabError, KeyboardInterrupt)), KernelLab(HOME):
        pytest.fail("it was built")


@needs_kernel
def test_what_still_runs_inside_is_killed():
    with KernelLab(HOME) as lab:
        ada = lab.host("ada")
        busy = subprocess.Popen(
            ada.command("sh", "-c", "echo inside; exec sleep 1000"), stdout=subprocess.PIPE
        )
        assert busy.stdout.readline() == b"inside\n"
    busy.stdout.close()
    assert busy.wait() == -signal.SIGKILL


OWNER = """
import subprocess, signal, sys
from jamlab.networks.kernel.lab import KernelLab
from tests.networks.kernel.boxes import HOME
with KernelLab(HOME) as lab:
    inside = subprocess.Popen(
        lab.host("ada").command("sh", "-c", "echo $$; exec sleep 1000"), stdout=subprocess.PIPE
    )
    print(int(inside.stdout.readline()), *(host.namespace for host in lab.hosts), flush=True)
    signal.pause()
"""


@contextlib.contextmanager
def owner():
    """A process that has a lab, in which another runs; yields it, that one, and the namespaces."""
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as it:
        inside, *namespaces = it.stdout.readline().split()
        yield it, psutil.Process(int(inside)), set(namespaces)


@needs_kernel
def test_what_a_killed_owner_left_is_swept_by_the_next_lab():
    with owner() as (killed, inside, namespaces):
        assert namespaces <= set(namespace.names())
        with KernelLab(HOME):  # what belongs to the living is let alone
            assert namespaces <= set(namespace.names())
            assert inside.is_running()
        killed.kill()
    with KernelLab(HOME):
        assert not namespaces & set(namespace.names())
        assert not inside.is_running() or inside.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
@needs_kernel
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_owner_that_is_told_to_end_leaves_nothing(number):
    with owner() as (stopped, inside, namespaces):
        stopped.send_signal(number)
        assert stopped.wait(DEADLINE_S) != 0
        assert not namespaces & set(namespace.names())
        assert not inside.is_running() or inside.status() == psutil.STATUS_ZOMBIE


@needs_kernel
def test_namespaces_of_others_are_let_alone():
    foreign = f"x{namespace.own_prefix()}0"
    namespace.run("ip", "netns", "add", foreign)
    try:
        with KernelLab(HOME):
            pass
        assert foreign in namespace.names()
    finally:
        namespace.remove([foreign])


@needs_kernel
def test_on_a_thread_of_its_own():
    seen = []

    def work():
        with KernelLab(HOME) as lab:
            seen.append(len(lab.hosts))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [3]


# What is refused


@pytest.mark.parametrize(
    "member",
    [
        home("ada", (replace(SYMMETRIC, hairpinning=True),)),
        LanConfig("home", (HostConfig("ada"),), (FULL_CONE,), addresses=2),
    ],
)
def test_what_the_kernel_cannot_be(member):
    with pytest.raises(KernelRefusalError):
        KernelLab(Topology((member,)))


def test_where_there_can_be_no_lab(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with (
        pytest.raises(KernelLabError, match=r"cannot build a network lab: .*apt-get install"),
        KernelLab(HOME),
    ):
        pass


def test_a_host_that_is_not_there():
    with pytest.raises(KeyError, match=r"there is no host 'bob': give one of \['stun', 'ada'"):
        KernelLab(HOME).host("bob")


def test_a_lab_that_is_not_built_yet():
    with pytest.raises(KernelLabError, match="use it as a context manager"):
        KernelLab(HOME).host("ada")
