"""Local ports for programs: free ones, and whether somebody listens at one.

Nobody is asked and no port is tried: a server that binds at that moment would find it in use.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

_TABLES = Path("/proc/net")
_LISTENS = "0A"  # TCP_LISTEN of the kernel's <net/tcp_states.h>


def free_port() -> int:
    """Return a number that neither TCP nor UDP uses on this machine now."""
    while True:
        with socket.socket() as found:
            found.bind(("", 0))
            port = int(found.getsockname()[1])
        if not listened_at(port):
            return port


def listened_at(port: int) -> bool:
    """Return whether a program of this machine listens at a port, over TCP or UDP."""
    return port in _listened()


def _listened() -> Iterator[int]:
    for name in ("tcp", "tcp6", "udp", "udp6"):
        table = _TABLES / name
        lines = table.read_text(encoding="ascii").splitlines()[1:] if table.exists() else []
        for _, local, _, state, *_ in map(str.split, lines):
            if name.startswith("udp") or state == _LISTENS:
                yield int(local.rpartition(":")[2], 16)
