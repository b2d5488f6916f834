"""A home behind miniupnpd, a real router's daemon, in network namespaces of this machine.

::

    inside 192.168.7.2 and .3 ──lan── 192.168.7.1 router (outside address) ──wan── 11.0.0.9 outside
"""

import asyncio
import contextlib
import itertools
import shutil
import socket
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jamlab.networks.kernel import namespace
from tests.leaks import DEADLINE_S

OWN, NEIGHBOUR, ROUTER = "192.168.7.2", "192.168.7.3", "192.168.7.1"
PUBLIC, PRIVATE, PEER = "11.0.0.1", "100.64.0.1", "11.0.0.9"
PORTS = {"enable_natpmp=yes": 5351, "enable_upnp=yes": 1900}
INSTALL = "apt-get install -y miniupnpd-nftables"

TABLES = """
table inet filter {
  chain forward { type filter hook forward priority 0; policy drop;
    iifname "lan" accept
    ct state established,related accept
    jump miniupnpd
  }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority -100; policy accept;
    jump prerouting_miniupnpd
  }
  chain postrouting { type nat hook postrouting priority 100; policy accept;
    jump postrouting_miniupnpd
    oifname "wan" masquerade
  }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}
"""


_serials = itertools.count()


def unavailable():
    """Return why there can be no such home, and what to do; None if it can."""
    if shutil.which("miniupnpd") is None:
        return f"miniupnpd not found: {INSTALL}"
    return namespace.unavailable()


needs_miniupnpd = pytest.mark.skipif(unavailable() is not None, reason=unavailable() or "")


class Home:
    """The three namespaces, and what can be done in them."""

    def __init__(self, prefix, outside_address):
        self.inside, self.router, self.outside = (
            f"{prefix}{name}" for name in ("inside", "router", "outside")
        )
        self.outside_address = outside_address

    def run(self, function, *args, in_outside=False):
        """Run a coroutine function inside or outside, on an event loop in a thread of its own."""
        where = self.outside if in_outside else self.inside
        with ThreadPoolExecutor(1, initializer=namespace.enter, initargs=(where,)) as thread:
            return thread.submit(lambda: asyncio.run(function(*args))).result(4 * DEADLINE_S)

    def mapped_ports(self):
        """Return the ports outside that the kernel forwards, as nft lists its rules."""
        with namespace.inside(self.router):
            rules = namespace.run("nft", "list chain inet filter prerouting_miniupnpd")
        words = [line.split() for line in rules.splitlines() if "dnat" in line]
        return sorted(int(line[line.index("dport") + 1]) for line in words)

    def socket_outside(self):
        """Return a UDP socket of the peer."""
        with namespace.inside(self.outside):
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((PEER, 0))
        made.settimeout(DEADLINE_S)
        return made

    def outline(self):
        """Yield the ``ip`` commands that make it."""
        for name in (self.inside, self.router, self.outside):
            yield f"netns add {name}"
        for end, name in (("lan", self.inside), ("wan", self.outside)):
            yield f"link add {end} netns {self.router} type veth peer name eth0 netns {name}"

    def commands(self):
        """Yield each namespace with its ``ip`` commands."""
        up = ["link set lo up", "link set eth0 up"]
        gateway = [f"route add default via {ROUTER}"]
        own = [f"address add {address}/24 dev eth0" for address in (OWN, NEIGHBOUR)]
        yield self.inside, [*own, *up, *gateway]
        outwards = f"route add {self.outside_address} dev eth0"
        yield self.outside, [f"address add {PEER}/24 dev eth0", *up, outwards]
        yield (
            self.router,
            [
                f"address add {ROUTER}/24 dev lan",
                f"address add {self.outside_address}/24 dev wan",
                *(f"link set {end} up" for end in ("lo", "lan", "wan")),
                "route add default dev wan",
            ],
        )


@contextlib.contextmanager
def home(*settings, outside_address=PUBLIC):
    """Build the namespaces and run miniupnpd in the router's while the context lasts."""
    namespace.remove(namespace.leftovers())
    made = Home(f"{namespace.own_prefix()}mapping{next(_serials)}-", outside_address)
    with contextlib.ExitStack() as stack:
        stack.callback(namespace.remove, [made.inside, made.router, made.outside])
        namespace.run("ip", "-batch", "-", given="\n".join([*made.outline(), ""]))
        for name, commands in made.commands():
            with namespace.inside(name):
                namespace.run("ip", "-batch", "-", given="\n".join([*commands, ""]))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(daemon(made, settings, folder))
        yield made


@contextlib.contextmanager
def daemon(made, settings, folder):
    """Run miniupnpd while the context lasts; it listens at the beginning."""
    lines = [
        "ext_ifname=wan",
        "listening_ip=lan",
        "secure_mode=yes",
        "system_uptime=yes",
        "ipv6_disable=yes",
        "uuid=2f6b4b4e-0000-4000-8000-6a616d6c6162",
        *settings,
        "allow 1024-65535 192.168.7.0/24 1024-65535",
        "deny 0-65535 0.0.0.0/0 0-65535",
    ]
    (folder / "conf").write_text("\n".join([*lines, ""]))
    command = ["miniupnpd", "-d", "-f", str(folder / "conf"), "-P", str(folder / "pid")]
    with namespace.inside(made.router):
        namespace.configure({"ipv4/ip_forward": "1"})
        namespace.run("nft", "-f", "-", given=TABLES)
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        wait_for(process, [port for setting, port in PORTS.items() if setting in settings])
        yield
    finally:
        process.kill()  # 2.3.1 does not end while it looks for a port that nobody may have
        process.wait()


def wait_for(process, ports):
    """Wait until a process's namespace has UDP sockets at all ports."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < DEADLINE_S:
        table = Path(f"/proc/{process.pid}/net/udp").read_text()
        if all(f":{port:04X} 00000000:0000" in table for port in ports):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = process.wait(0.02)
            raise AssertionError(f"miniupnpd ended with status {status}")
    raise AssertionError(f"miniupnpd does not listen at {ports}")
