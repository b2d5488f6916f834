"""The default route of this machine over IPv4: its router, and our own address towards it."""

import asyncio
import ipaddress
import re
import socket
import subprocess
import sys
from pathlib import Path

from jamlab.networks.port_mapping.mapping import Route

_TABLE = Path("/proc/thread-self/net/route")
_PORT = 5351
_COMMAND_S = 5.0
_GATEWAY_FLAG = 0x2  # RTF_GATEWAY
_COMMANDS = {"darwin": ("route", "-n", "get", "default"), "win32": ("route", "print", "-4")}


async def default_route() -> Route | None:
    """Return the default route; None without one, or where the system does not tell."""
    if sys.platform == "linux":
        router = _linux()  # at once, and in the namespace of this thread
    else:
        router = await asyncio.get_running_loop().run_in_executor(None, _elsewhere, sys.platform)
    return None if router is None else _towards(router)


def linux_router(table: str) -> str | None:
    """Return the default route's router from ``/proc/net/route``, by the lowest metric."""
    found: list[tuple[int, str]] = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or fields[1] != "0" * 8 or fields[7] != "0" * 8:
            continue
        if int(fields[3], 16) & _GATEWAY_FLAG:
            address = int(fields[2], 16).to_bytes(4, sys.byteorder)
            found.append((int(fields[6]), str(ipaddress.IPv4Address(address))))
    return min(found)[1] if found else None


def macos_router(output: str) -> str | None:
    """Return the router from the output of ``route -n get default``."""
    found = re.search(r"^\s*gateway: (\S+)$", output, re.MULTILINE)
    return found[1] if found and _is_ipv4(found[1]) else None


def windows_router(output: str) -> str | None:
    """Return the router from the output of ``route print -4``, by the lowest metric."""
    found: list[tuple[int, str]] = []
    for line in output.splitlines():
        fields = line.split()
        if fields[:2] == ["0.0.0.0", "0.0.0.0"] and len(fields) == 5 and _is_ipv4(fields[2]):
            found.append((int(fields[4]) if fields[4].isdecimal() else 0, fields[2]))
    return min(found)[1] if found else None


def _linux() -> str | None:
    try:
        return linux_router(_TABLE.read_text(encoding="ascii"))
    except OSError:  # a system without networks
        return None


def _elsewhere(platform: str) -> str | None:
    if platform not in _COMMANDS:
        return None
    output = _output_of(*_COMMANDS[platform])
    return windows_router(output) if platform == "win32" else macos_router(output)


def _output_of(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_COMMAND_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")


def _towards(router: str) -> Route | None:
    """Return a route with our own address towards a router; sends nothing."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.connect((router, _PORT))
            return Route(router, end.getsockname()[0])
    except OSError:
        return None


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
