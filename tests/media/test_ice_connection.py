"""The adapter to aioice, on real ICE connections over this machine's own addresses."""

import asyncio
from importlib.metadata import version

import pytest
from aioice import Candidate, Connection, TransportPolicy
from aioice.ice import StunProtocol

from jamlab.media import ice_connection
from jamlab.media.ice_connection import (
    OpenConnection,
    is_dtls_or_srtp,
    pair_count,
    selected_pair,
    wants_relays_only,
)

SHORTEST = {"DTLS": 13, "RTP": 12, "RTCP": 8}
"""Headers: RFC 6347 §4.1, RFC 3550 §5.1, and §6.4.2 with no report block."""


@pytest.mark.parametrize("first", range(256))
def test_what_is_read_of_a_datagram(first):
    for second in 0, 96, 191, 192, 200, 223, 224, 255:
        for length in (*range(24), 1500, 1501, 65_507):
            datagram = bytes((first, second))[:length].ljust(length, b"\0")
            kind = "DTLS" if 20 <= first < 64 else "RTCP" if 192 <= second <= 223 else "RTP"
            known = 20 <= first < 64 or first >> 6 == 0b10  # RTP's version is 2
            whole = SHORTEST[kind] <= length <= 1500
            assert is_dtls_or_srtp(datagram) == (known and whole), (first, second, length)


async def test_pairs_and_the_selected_one():
    """Each local candidate pairs with each remote one (RFC 8445 §6.1.2.2)."""
    one, other = (Connection(controls, use_ipv6=False) for controls in (True, False))
    try:
        for end in one, other:
            await end.gather_candidates()
        assert (pair_count(one), selected_pair(one)) == (0, None)
        hosts = [len(end.local_candidates) for end in (one, other)]
        for end, far in ((one, other), (other, one)):
            for candidate in (*far.local_candidates, None):
                await end.add_remote_candidate(candidate)
            end.remote_username, end.remote_password = far.local_username, far.local_password
        await asyncio.gather(one.connect(), other.connect())
        assert pair_count(one) == hosts[0] * hosts[1]
        local, remote = selected_pair(one)
        assert (local.type, remote.type) == ("host", "host")
    finally:
        await asyncio.gather(one.close(), other.close())


class TestOpenConnection:
    async def test_a_socket_that_comes_late_is_paired_and_released(self):
        connection = OpenConnection(ice_controlling=True)
        line = "1 1 udp 2130706431 192.0.2.1 50000 typ host"
        await connection.add_remote_candidate(Candidate.from_sdp(line))
        assert [*connection.pairs] == []
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(
            lambda: StunProtocol(connection), local_addr=("127.0.0.1", 0)
        )
        protocol.local_candidate = Candidate.from_sdp(line.replace("192.0.2.1", "127.0.0.1"))
        for _ in range(2):  # a second candidate of the same socket makes no second pair
            connection.adopt(protocol, protocol.local_candidate)
        [pair] = connection.pairs
        assert selected_pair(connection) is None
        connection.use(pair)
        assert selected_pair(connection)[1].host == "192.0.2.1"
        connection.discard(pair)
        assert pair_count(connection) == 0
        assert not connection.is_closing
        await connection.close()
        assert connection.is_closing
        assert protocol.transport.is_closing()

    async def test_a_socket_that_comes_late_brings_no_removed_pair_back(self):
        connection = OpenConnection(ice_controlling=True)
        line = "1 1 udp 2130706431 {} 50000 typ host"
        await connection.add_remote_candidate(Candidate.from_sdp(line.format("192.0.2.1")))
        loop = asyncio.get_running_loop()
        for _ in range(2):
            _, protocol = await loop.create_datagram_endpoint(
                lambda: StunProtocol(connection), local_addr=("127.0.0.1", 0)
            )
            protocol.local_candidate = Candidate.from_sdp(line.format("127.0.0.1"))
            connection.adopt(protocol, protocol.local_candidate)
            [pair] = connection.pairs
            assert pair.protocol is protocol
            connection.discard(pair)
        await connection.add_remote_candidate(Candidate.from_sdp(line.format("192.0.2.2")))
        assert len(connection.pairs) == 2  # a later candidate is paired with both sockets
        await connection.close()

    @pytest.mark.parametrize("policy", TransportPolicy)
    async def test_its_policy_is_told(self, policy):
        connection = OpenConnection(ice_controlling=True, transport_policy=policy)
        assert connection.relays_only is (policy is TransportPolicy.RELAY)


@pytest.mark.parametrize("policy", TransportPolicy)
async def test_the_policy_is_the_one_it_was_made_with(policy):
    connection = Connection(ice_controlling=True, transport_policy=policy)
    assert wants_relays_only(connection) == (policy is TransportPolicy.RELAY)


class TestAioicesInsides:
    """When one of these fails, aioice has moved what `ice_connection` holds on to."""

    async def test_the_names_are_there(self):
        names = (
            ice_connection._SELECTED,
            ice_connection._CHECK_LIST,
            ice_connection._POLICY,
            "_closing",
            "_early_checks",
            "_early_checks_done",
            "_local_candidates",
            "_pair_remote_candidate",
            "_protocols",
            "_remote_candidates",
        )
        connection = Connection(ice_controlling=True)
        missing = [name for name in names if not hasattr(connection, name)]
        assert not missing, (
            f"the Connection of aioice {version('aioice')} has no {', '.join(missing)}: adapt "
            "jamlab.media.ice_connection and then the pin in pyproject.toml"
        )

    @pytest.mark.parametrize("use", [pair_count, selected_pair, wants_relays_only])
    def test_a_stranger_is_refused_in_a_sentence(self, use):
        with pytest.raises(RuntimeError, match=r"has no .* pip install 'aioice"):
            use(object())
