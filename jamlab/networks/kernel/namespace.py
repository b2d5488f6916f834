"""Network namespaces of the Linux kernel: entry, tools, settings and removal.

A namespace's name identifies its owner, ``jamlab-PID-START-…``, by process id and start time in
ticks of the kernel's clock: process ids are reused, the pair is not. A namespace with this prefix
and a dead owner is a leftover; nothing else is removed.
"""

import contextlib
import ctypes
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

PREFIX = "jamlab"
NAMES = Path("/run/netns")
"""Folder of ``ip netns``, with a file per namespace."""
_OWNED = re.compile(rf"{PREFIX}-(\d+)-(\d+)-.+")
_NEWNET = 0x40000000  # CLONE_NEWNET

INSTALL = "apt-get install -y iproute2 nftables conntrack"


class KernelLabError(RuntimeError):
    """The kernel, or one of its tools, failed."""


def unavailable() -> str | None:
    """Return why network namespaces are not available, and what to do; None if they are."""
    if sys.platform != "linux":
        return "network namespaces exist on Linux only: run on Linux"
    missing = [
        tool for tool in ("ip", "nft", "conntrack", "nsenter", "setpriv") if not shutil.which(tool)
    ]
    if missing:
        return f"{', '.join(missing)} not found: {INSTALL}"
    if os.geteuid() != 0:
        return "network namespaces need root: run as root"
    return None


def started(pid: int) -> int | None:
    """Return the tick at which a process started; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()
    return None if after_name[0] in "ZX" else int(after_name[19])


def own_prefix() -> str:
    """Return the prefix of the names of all that this process owns."""
    return f"{PREFIX}-{os.getpid()}-{started(os.getpid())}-"


def leftovers(among: Iterable[str] | None = None) -> list[str]:
    """Return the names, by default of all namespaces, whose owner is dead."""
    owned = ((name, _OWNED.fullmatch(name)) for name in (names() if among is None else among))
    return [name for name, by in owned if by and started(int(by[1])) != int(by[2])]


def names() -> list[str]:
    """Return the names of all namespaces."""
    return sorted(path.name for path in NAMES.glob("*"))


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Move the calling thread into a namespace while the context lasts.

    Sockets and processes that it opens there stay there. There must be no ``await`` inside the
    context, or other tasks would run in the namespace, too.
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
    """Move the calling thread into a namespace for good."""
    try:
        there = os.open(NAMES / namespace, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KernelLabError(
            f"there is no namespace {namespace}: use a lab's hosts inside its context only"
        ) from None
    try:
        _set(there)
    finally:
        os.close(there)


def _set(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _NEWNET) != 0:
        raise KernelLabError(f"setns: {os.strerror(ctypes.get_errno())}: run as root")


def run(*command: str, given: str = "") -> str:
    """Run a tool with the standard input `given` to its end, and return its output.

    The terminal's Ctrl-C does not reach it, and it ends when this process is killed. Raises
    `KernelLabError`, with its error output, if it fails.
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
    """Write settings under ``/proc/sys/net``, for the calling thread's namespace."""
    for name, value in settings.items():
        Path("/proc/sys/net", name).write_text(value, encoding="ascii")


def remove(doomed: Iterable[str]) -> None:
    """Kill the processes in namespaces, and remove the namespaces that still exist.

    Raises `KernelLabError` if a namespace cannot be removed.
    """
    doomed = list(doomed)
    if not doomed:
        return
    _kill_all(doomed)
    commands = "".join(f"netns delete {name}\n" for name in doomed)
    failed: KernelLabError | None = None
    try:
        run("ip", "-force", "-batch", "-", given=commands)
    except KernelLabError as error:  # e.g. another process removes the same namespaces
        failed = error
    if stayed := set(doomed) & set(names()):
        raise KernelLabError(f"{', '.join(sorted(stayed))} could not be removed: {failed}")


def _kill_all(namespaces: list[str]) -> None:
    """Kill until no process is left: a dying process may still start another."""
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
