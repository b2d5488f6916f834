"""The adapter to aioice, on real ICE connections over this machine's own addresses."""

import asyncio
from importlib.metadata import version

import pytest
from aioice import Connection, TransportPolicy

from jamlab.media import ice_connection
from jamlab.media.ice_connection import (
    guard_datagrams,
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
            ice_connection._DATA_RECEIVED,
        )
        connection = Connection(ice_controlling=True)
        missing = [name for name in names if not hasattr(connection, name)]
        assert not missing, (
            f"the Connection of aioice {version('aioice')} has no {', '.join(missing)}: adapt "
            "jamlab.media.ice_connection and then the pin in pyproject.toml"
        )

    @pytest.mark.parametrize("use", [guard_datagrams, pair_count, selected_pair, wants_relays_only])
    def test_a_stranger_is_refused_in_a_sentence(self, use):
        with pytest.raises(RuntimeError, match=r"has no .* pip install 'aioice"):
            use(object())
