"""Network namespaces of the Linux kernel: work inside them, and leave nothing of them behind.

A namespace's name says who made it, ``jamlab-PID-START-…``, with the owner's process id and the
tick of the kernel's clock at which it began: a process id is used again, the pair is not. So
whatever has the prefix and an owner that is dead is a leftover, and nothing else is touched.
"""

import contextlib
import ctypes
import os
import re
import select
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

PREFIX = "jamlab"
NAMES = Path("/run/netns")
"""Where ``ip netns`` keeps them."""
_OWNED = re.compile(rf"{PREFIX}-(\d+)-(\d+)-.+")
_NEWNET = 0x40000000  # CLONE_NEWNET

INSTALL = "apt-get install -y iproute2 nftables conntrack"


class KernelLabError(RuntimeError):
    """The kernel, or a tool that talks to it, would not do what was asked."""


def unavailable() -> str | None:
    """Return why there can be no network namespaces here, and what to do; None if there can."""
    missing = [
        tool for tool in ("ip", "nft", "conntrack", "nsenter", "setpriv") if not shutil.which(tool)
    ]
    if missing:
        return f"{', '.join(missing)} not found: {INSTALL}"
    if os.geteuid() != 0:
        return "network namespaces are for root alone: run as root"
    return None


def started(pid: int) -> int | None:
    """Return the tick at which a process began; None when there is none of that id."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()
    return None if after_name[0] in "ZX" else int(after_name[19])


def own_prefix() -> str:
    """Return what the names of all that is this process' begin with."""
    return f"{PREFIX}-{os.getpid()}-{started(os.getpid())}-"


def leftovers(among: Iterable[str] | None = None) -> list[str]:
    """Return those of some names, by default of all namespaces, whose owner is dead."""
    owned = ((name, _OWNED.fullmatch(name)) for name in (names() if among is None else among))
    return [name for name, by in owned if by and started(int(by[1])) != int(by[2])]


def names() -> list[str]:
    """Return the names of all namespaces."""
    return sorted(path.name for path in NAMES.glob("*"))


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Have the calling thread work inside a namespace: what it opens and starts stays there.

    There must be no ``await`` within: other tasks would be inside, too.
    """
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(namespace)
        try:
            yield
        finally:
            _set(outside)
    finally:
        os.close(outside)


def enter(namespace: str) -> None:
    """Move the calling thread into a namespace; a process that has one thread, as a whole."""
    try:
        there = os.open(NAMES / namespace, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KernelLabError(f"there is no namespace {namespace}: is its lab over?") from None
    try:
        _set(there)
    finally:
        os.close(there)


def _set(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _NEWNET) != 0:
        raise KernelLabError(f"setns: {os.strerror(ctypes.get_errno())}: run as root")


def run(*command: str, given: str = "") -> str:
    """Run a tool to its end and return what it printed.

    It is out of reach of the terminal's Ctrl-C, and ends when this process is killed.

    Parameters
    ----------
    *command : str
        The tool and its arguments.
    given : str
        What it reads.

    Raises
    ------
    KernelLabError
        When it fails; with what it said.
    """
    done = subprocess.run(
        ["setpriv", "--pdeathsig", "KILL", *command],
        input=given,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or f"status {done.returncode}"
        raise KernelLabError(f"{' '.join(command)} failed: {said}")
    return done.stdout


def configure(settings: dict[str, str]) -> None:
    """Write settings under ``/proc/sys/net``, of the namespace the thread is in."""
    for name, value in settings.items():
        Path("/proc/sys/net", name).write_text(value, encoding="ascii")


def remove(doomed: Iterable[str]) -> None:
    """Kill what runs in namespaces and remove them; those that are gone already are no matter.

    Raises
    ------
    KernelLabError
        When one stays.
    """
    doomed = list(doomed)
    if not doomed:
        return
    _kill_all(doomed)
    commands = "".join(f"netns delete {name}\n" for name in doomed)
    failed: KernelLabError | None = None
    try:
        run("ip", "-force", "-batch", "-", given=commands)
    except KernelLabError as error:  # of another process that sweeps the same
        failed = error
    if stayed := set(doomed) & set(names()):
        raise KernelLabError(f"{', '.join(sorted(stayed))} would not be removed: {failed}")


def _kill_all(namespaces: list[str]) -> None:
    """Kill until nothing is left: what is being killed may still start something."""
    inodes = set()
    for name in namespaces:
        with contextlib.suppress(FileNotFoundError):
            inodes.add((NAMES / name).stat().st_ino)
    while found := list(_processes(inodes)):
        for pid in found:
            _kill(pid)


def _processes(inodes: set[int]) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if (entry / "ns" / "net").stat().st_ino in inodes:
                    yield int(entry.name)


def _kill(pid: int) -> None:
    """Kill a process and wait until it is dead."""
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            select.select([process], [], [])
        finally:
            os.close(process)
