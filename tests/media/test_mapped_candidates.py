"""Candidates of mapped ports, on the simulated internet and of aioice alone."""

import inspect

import pytest
from aioice import Candidate, Connection

from jamlab.media.mapped_candidates import mapped_candidate, offer_mapped

OUTSIDE = "198.51.100.1", 6000


class Asked:
    """A router that maps, and remembers what for."""

    def __init__(self, outside=OUTSIDE):
        self.ports = []
        self.outside = outside

    def __call__(self, port):
        self.ports.append(port)
        return self.outside


async def gathered(map_port, **options):
    connection = Connection(ice_controlling=True, **options)
    offer_mapped(connection, map_port)
    try:
        await connection.gather_candidates()
        return connection.local_candidates
    finally:
        await connection.close()


@pytest.fixture(name="two_hosts", autouse=True)
def _two_hosts(monkeypatch):
    """Let there be one address of each version of IP."""
    addresses = ["127.0.0.1", "::1"]
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: addresses)


async def test_of_each_ipv4_host_candidate():
    asked = Asked()
    candidates = await gathered(asked)
    (base,) = [each for each in candidates if each.host == "127.0.0.1"]
    (mapped,) = [each for each in candidates if each.type == "srflx"]
    assert asked.ports == [base.port]
    assert (mapped.host, mapped.port) == OUTSIDE
    assert (mapped.related_address, mapped.related_port) == ("127.0.0.1", base.port)


async def test_none_where_nobody_maps():
    candidates = await gathered(Asked(None))
    assert {each.type for each in candidates} == {"host"}


async def test_an_address_that_is_known_is_not_offered_twice():
    """RFC 8445 section 5.1.3: redundant candidates are left out."""

    class Public(Asked):
        def __call__(self, port):
            return "127.0.0.1", port

    assert {each.type for each in await gathered(Public())} == {"host"}


def test_is_below_host_and_above_relay():
    """RFC 8445 section 5.1.2.1."""
    base = Candidate("f", 1, "udp", 2130706431, "10.0.0.1", 5000, "host")
    mapped = mapped_candidate(base, OUTSIDE)
    assert mapped.priority == 100 * 2**24 + 65535 * 2**8 + 255
    assert mapped.foundation != base.foundation
    assert Candidate.from_sdp(mapped.to_sdp()).to_sdp() == mapped.to_sdp()


def test_the_method_is_where_it_was():
    assert [*inspect.signature(Connection.get_component_candidates).parameters] == [
        *("self", "component", "addresses", "timeout")
    ]
    with pytest.raises(RuntimeError, match="gathers candidates in another way"):
        offer_mapped(object(), Asked())
