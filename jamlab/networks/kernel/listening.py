"""Who listens where on this machine: ports that are free, and STUN servers that answer.

Nothing here runs on a loop: it is for starting servers others wrote, in the namespace the thread is
in.
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
"""How long a server on this machine may take to answer, before it is asked again."""

PORTS = range(10000, 16384)
"""Below those that systems give out by themselves, so that none is taken between two looks."""


def free_ports(addresses: Sequence[str], count: int) -> list[int]:
    """Return ports that are free at all addresses over UDP and TCP, as the one after each is.

    Raises
    ------
    OSError
        There are not so many.
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
    """Return whether a Binding request is answered over TLS, by who has a certificate."""
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
