"""Attacks on a session by attackers who use nothing of this package: sockets and what they send."""

import asyncio
import socket

import pytest

from jamlab.mesh.events import ConnectionState
from jamlab.signaling.memory import MemoryChannel
from tests.leaks import sockets, until
from tests.mesh.jam import Member

pytestmark = pytest.mark.usefixtures("nothing_left")


def scan(ports, datagrams):
    """Send datagrams to addresses of this machine, as a port scan would."""
    kinds = {
        address[0]: socket.AF_INET6 if ":" in address[0] else socket.AF_INET for address in ports
    }
    for host, kind in kinds.items():
        with socket.socket(kind, socket.SOCK_DGRAM) as stranger:
            for address in ports:
                if address[0] == host:
                    for datagram in datagrams:
                        stranger.sendto(datagram, tuple(address))


class TestDatagrams:
    async def test_a_port_scan_is_not_heard(self):
        """Hundreds of datagrams of every short length to every port: no connection is replaced."""
        before, channel = sockets(), MemoryChannel()
        ada, ben = Member("ada", channel), Member("ben", channel)
        changes = []
        async with ada.session, ben.session:
            await ada.session.wait_connected(30)
            await ben.session.wait_connected(30)
            await until(lambda: ada.hears == {"ben"} and ben.hears == {"ada"}, "for the sound")
            counters = [m.service.playout(p).counters for m, p in ((ada, "ben"), (ben, "ada"))]
            heard = [c.received for c in counters]
            for member in ada, ben:
                member.service.on_connection_state_change(changes.append)
            ports = {address for _, address in sockets() - before}
            for length in range(20):
                for first in 0, 20, 63, 64, 128, 191, 255:
                    scan(ports, [bytes((first,)).ljust(length, b"\0")[:length]] * 4)
                    await asyncio.sleep(0)
            await until(
                lambda: all(c.received > n + 20 for c, n in zip(counters, heard, strict=True)),
                "for more of the sound",
            )
            assert [m.service.connection_state(p) for m, p in ((ada, "ben"), (ben, "ada"))] == [
                ConnectionState.CONNECTED
            ] * 2
            assert changes == []
            assert [
                m.service.playout(p).counters for m, p in ((ada, "ben"), (ben, "ada"))
            ] == counters
            assert [c.corrupt + c.strayed + c.restarted for c in counters] == [0, 0]
