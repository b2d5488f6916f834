"""TUN devices: network interfaces whose packets a program reads and writes (Linux, tun.rst).

A read returns a packet that the kernel sends to the interface, a write delivers a packet from it,
each with its IP header. The device belongs to the network namespace of the thread that opens it,
and exists while it is open: the end of the process removes it.

Impaired links run in user space (`jamlab.networks.kernel.tun_link`) even where the kernel has netem
(tc-netem(8)). netem cannot model these links: its jitter comes from tables without an exponential
distribution, and it reorders packets.
"""

import contextlib
import os
import shutil
import stat
import struct
import sys
from itertools import count
from pathlib import Path

from jamlab.networks.kernel.namespace import KernelLabError, own_prefix, remove, run

NODE = Path("/dev/net/tun")
LONGEST_NAME = 15
"""Length of an interface's name in bytes (IFNAMSIZ without the final 0)."""

_MAJOR, _MINOR = 10, 200
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_REQUEST = struct.Struct("16sH22x")  # struct ifreq: name and flags


class TunError(KernelLabError):
    """A TUN device cannot be made; the message says why and what to do."""


def why_no_tun() -> str | None:
    """Return why TUN devices are not available, in a sentence; None if they are.

    A missing device node is made, if the process has the permission.
    """
    if sys.platform != "linux":
        return "TUN devices in network namespaces exist on Linux only: run on Linux"
    try:
        with contextlib.suppress(FileExistsError):
            _make_node()
        os.close(os.open(NODE, os.O_RDWR))
    except PermissionError:
        return "TUN devices need root (CAP_NET_ADMIN, CAP_MKNOD): run as root"
    except OSError as error:
        return f"{NODE} cannot be opened ({error.strerror}): modprobe tun"
    return None


def _make_node() -> None:
    if NODE.exists():
        return
    NODE.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(NODE, stat.S_IFCHR | 0o666, os.makedev(_MAJOR, _MINOR))


def open_tun(name: str) -> int:
    """Make a TUN device in the calling thread's namespace; return its file descriptor.

    Reads and writes do not block. The device is down and has no address. Raises `TunError` if it
    cannot be made.
    """
    if not 0 < len(name.encode()) <= LONGEST_NAME:
        raise TunError(f"{name!r} is not an interface name: use 1 to {LONGEST_NAME} letters")
    if reason := why_no_tun():
        raise TunError(reason)
    import fcntl  # which Windows lacks

    device = os.open(NODE, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(device, _TUNSETIFF, _REQUEST.pack(name.encode(), _IFF_TUN | _IFF_NO_PI))
    except OSError as error:
        os.close(device)
        raise TunError(f"cannot make the TUN device {name!r}: {error.strerror}") from error
    return device


_serials = count()


def why_no_netem() -> str | None:
    """Return why netem is not available, in a sentence; None if it is. Needs root.

    Raises `KernelLabError` if there cannot be a namespace for the test.
    """
    if shutil.which("tc") is None:
        return "tc not found: apt-get install -y iproute2"
    name = f"{own_prefix()}netem-{next(_serials)}"
    run("ip", "netns", "add", name)
    try:
        run("tc", "-netns", name, "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")
    except KernelLabError:
        return "this kernel has no netem (its module sch_netem)"
    finally:
        remove([name])
    return None
