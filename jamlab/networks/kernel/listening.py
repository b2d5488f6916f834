"""Search for free ports, and checks that STUN servers answer; blocking, without an event loop.

For the start of third-party servers, in the calling thread's network namespace.
"""

import contextlib
import random
import socket
import ssl
from collections.abc import Sequence
from itertools import islice, product
from pathlib import Path

from aioice import stun

from jamlab.networks.model.packet import Address

PATIENCE_S = 0.2
"""Time limit of an answer on this machine, before the next request."""

PORTS = range(10000, 16384)
"""Below the system's ephemeral ports, so that a free port hardly gets used by another program."""


def free_ports(addresses: Sequence[str], count: int) -> list[int]:
    """Return ports that are free, with the next one, at all addresses over UDP and TCP.

    Raises OSError if there are too few.
    """
    candidates = random.sample(PORTS[::2], len(PORTS[::2]))
    free = (port for port in candidates if _is_free(addresses, (port, port + 1)))
    found = list(islice(free, count))
    if len(found) < count:
        raise OSError(f"not enough ports from {PORTS[0]} to {PORTS[-1]} are free")
    return found


def _is_free(addresses: Sequence[str], ports: Sequence[int]) -> bool:
    kinds = socket.SOCK_DGRAM, socket.SOCK_STREAM
    for kind, host, port in product(kinds, addresses, ports):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def answers_udp(address: Address) -> bool:
    """Return whether a Binding request is answered over UDP."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(PATIENCE_S)
        udp.connect(address)
        return _answers(udp)
    return False


def answers_tcp(address: Address) -> bool:
    """Return whether a Binding request is answered over TCP."""
    with contextlib.suppress(OSError), _connected(address) as tcp:
        return _answers(tcp)
    return False


def answers_tls(address: Address, certificate: Path) -> bool:
    """Return whether a Binding request is answered over TLS with a given certificate."""
    context = ssl.create_default_context(cafile=certificate)
    with (
        contextlib.suppress(OSError),
        _connected(address) as tcp,
        context.wrap_socket(tcp, server_hostname=address[0]) as tls,
    ):
        return _answers(tls)
    return False


def _connected(address: Address) -> socket.socket:
    return socket.create_connection(address, timeout=PATIENCE_S)


def _answers(end: socket.socket) -> bool:
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    end.sendall(bytes(request))
    return request.transaction_id in end.recv(1500)
