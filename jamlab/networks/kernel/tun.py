"""TUN devices: network interfaces whose packets a program reads and writes (Linux, tun.rst).

What the kernel sends out of the interface is read, what is written comes in by it, a packet each,
from its IP header on. The device belongs to the network namespace its opener is in, and is there as
long as it is open: whatever ends the opener removes it.

Whether this kernel has netem, its own emulator of networks (tc-netem(8)).

Links are carried in user space (`jamlab.networks.kernel.tun_link`) where it has and where it has
not, for netem cannot be the links of this package: its jitter is drawn from tables that have no
exponential distribution, and reorders. Who reads a report has a right to know which of the two it
was.
"""

import contextlib
import fcntl
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
"""Characters of an interface's name (IFNAMSIZ less its end)."""

_MAJOR, _MINOR = 10, 200
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_REQUEST = struct.Struct("16sH22x")  # struct ifreq: name and flags


class TunError(KernelLabError):
    """There can be no such device; says why, and what to do."""


def why_no_tun() -> str | None:
    """Return why this machine has no TUN devices for us, in a sentence, or None.

    Where their device node is missing it is made, if we may.
    """
    if sys.platform != "linux":
        return "TUN devices in network namespaces are Linux': run it on Linux"
    try:
        with contextlib.suppress(FileExistsError):
            _make_node()
        os.close(os.open(NODE, os.O_RDWR))
    except PermissionError:
        return "TUN devices need root (CAP_NET_ADMIN, CAP_MKNOD): run it as root"
    except OSError as error:
        return f"{NODE} cannot be opened ({error.strerror}): modprobe tun"
    return None


def _make_node() -> None:
    if NODE.exists():
        return
    NODE.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(NODE, stat.S_IFCHR | 0o666, os.makedev(_MAJOR, _MINOR))


def open_tun(name: str) -> int:
    """Make a TUN device in the namespace this thread is in; returns its file descriptor.

    Reading and writing do not block. The device is down and has no address.

    Raises
    ------
    TunError
        When it cannot be made.
    """
    if not 0 < len(name.encode()) <= LONGEST_NAME:
        raise TunError(f"{name!r} is no name for an interface: use 1 to {LONGEST_NAME} letters")
    if reason := why_no_tun():
        raise TunError(reason)
    device = os.open(NODE, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(device, _TUNSETIFF, _REQUEST.pack(name.encode(), _IFF_TUN | _IFF_NO_PI))
    except OSError as error:
        os.close(device)
        raise TunError(f"cannot make the TUN device {name!r}: {error.strerror}") from error
    return device


_serials = count()


def why_no_netem() -> str | None:
    """Return why there is no netem here, in a sentence, or None; asks the kernel, as root.

    Raises
    ------
    KernelLabError
        When there can be no namespace to try it in.
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
