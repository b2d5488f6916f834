"""Host candidates with and without a network, on real sockets."""

import asyncio
import inspect
import socket

import aioice.ice
import pytest
from aioice import Connection, TransportPolicy

from jamlab.media import host_candidates
from jamlab.media.host_candidates import (
    gather_on_loopback,
    host_addresses,
    loopback_addresses,
)


@pytest.fixture(name="only_loopback")
def _only_loopback(monkeypatch):
    """Let aioice find what it finds where there is no network but the loopback: nothing."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [])


async def gathered(**options):
    connection = Connection(ice_controlling=True, **options)
    gather_on_loopback(connection)
    try:
        await connection.gather_candidates()
        return [(each.type, each.host) for each in connection.local_candidates]
    finally:
        await connection.close()


@pytest.mark.usefixtures("only_loopback")
class TestLoopbackAlone:
    async def test_aioice_alone_has_no_candidate_and_here_it_has_one(self):
        stock = Connection(ice_controlling=True)
        await stock.gather_candidates()
        assert stock.local_candidates == []
        await stock.close()
        assert await gathered() == [("host", "127.0.0.1")]
        assert host_addresses() == ["127.0.0.1"]

    async def test_two_agents_connect(self):
        ends = [Connection(ice_controlling=controls) for controls in (True, False)]
        try:
            for end in ends:
                gather_on_loopback(end)
                await end.gather_candidates()
            for end, far in (ends, ends[::-1]):
                for candidate in (*far.local_candidates, None):
                    await end.add_remote_candidate(candidate)
                end.remote_username, end.remote_password = far.local_username, far.local_password
            await asyncio.gather(*(end.connect() for end in ends))
            await ends[0].send(b"heard")
            assert await ends[1].recv() == b"heard"
        finally:
            await asyncio.gather(*(end.close() for end in ends))

    async def test_who_wants_relays_only_gets_no_host(self):
        """RFC 8829 section 4.1.1: the policy is there to hide these addresses."""
        assert await gathered(transport_policy=TransportPolicy.RELAY) == []

    async def test_where_ipv4_is_missing_ipv6_serves(self, monkeypatch):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as end:
            try:
                end.bind(("::1", 0))
            except OSError as error:
                pytest.skip(f"no IPv6 loopback here: {error}")
        monkeypatch.setattr(host_candidates, "_LOOPBACK", host_candidates._LOOPBACK[1:])
        assert await gathered() == [("host", "::1")]

    async def test_a_loopback_that_is_down_is_no_candidate(self, monkeypatch):
        nowhere = ((socket.AF_INET, "255.255.255.255"),)  # refused without SO_BROADCAST
        monkeypatch.setattr(host_candidates, "_LOOPBACK", nowhere)
        assert loopback_addresses() == host_addresses() == await gathered() == []


async def test_beside_another_address_nothing_is_different(monkeypatch):
    other = "127.0.0.2"  # stands for a network's: aioice leaves out 127.0.0.1 and ::1 by name
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [other])
    assert host_addresses() == [other]
    assert await gathered() == [("host", other)]


class TestAioicesInsides:
    """When one of these fails, aioice has moved what `host_candidates` holds on to."""

    def test_the_method_is_called_with_addresses(self):
        source = inspect.getsource(Connection.gather_candidates)
        assert "self.get_component_candidates(component=component, addresses=addresses)" in source
        parameters = inspect.signature(Connection.get_component_candidates).parameters
        assert list(parameters) == ["self", "component", "addresses", "timeout"]

    def test_a_stranger_is_refused_in_a_sentence(self):
        with pytest.raises(RuntimeError, match="pip install 'aioice"):
            gather_on_loopback(object())
