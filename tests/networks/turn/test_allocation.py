"""Permissions and channels against a naive model of RFC 8656: a list of all past events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.turn.allocation import Allocation, lifetime_s
from jamlab.networks.turn.credentials import Identity

HOSTS = st.sampled_from(["9.0.0.1", "9.0.0.2"])
PEERS = st.tuples(HOSTS, st.sampled_from([1000, 2000]))
CHANNELS = st.sampled_from([0x4000, 0x4001, 0x7FFF])
STEPS = st.lists(
    st.tuples(st.floats(0, 400), st.one_of(HOSTS, st.tuples(CHANNELS, PEERS))), max_size=25
)


def allocation():
    return Allocation(Identity("ada", b"key"), ("8.0.0.1", 50000), bytes(12), expires_s=600.0)


class Log:
    """All that was installed, ever; what is in force is looked up from the end."""

    def __init__(self):
        self.permissions, self.bindings = [], []

    def permits(self, host, now):
        return any(h == host and now - t < 300 for t, h in self.permissions)

    def bound(self, now):
        return {(channel, peer) for t, channel, peer in self.bindings if now - t < 600}

    def bind(self, channel, peer, now):
        clash = [b for b in self.bound(now) if (b[0] == channel) != (b[1] == peer)]
        if not clash:
            self.bindings.append((now, channel, peer))
            self.permissions.append((now, peer[0]))
        return not clash


def binds(tested, channel, peer, now):
    try:
        tested.bind(channel, peer, now)
    except ValueError:
        return False
    return True


@given(STEPS)
def test_follows_the_rules(steps):
    tested, log, now = allocation(), Log(), 0.0
    for since, what in steps:
        now += since
        if isinstance(what, str):
            tested.permit(what, now)
            log.permissions.append((now, what))
        else:
            assert binds(tested, *what, now) == log.bind(*what, now)
        for host in ("9.0.0.1", "9.0.0.2"):
            assert tested.permits(host, now) == log.permits(host, now)
            for port in (1000, 2000):
                channels = [n for n, peer in log.bound(now) if peer == (host, port)]
                assert tested.channel((host, port), now) == (channels[0] if channels else None)
        for channel in (0x4000, 0x4001, 0x7FFF):
            peers = [peer for n, peer in log.bound(now) if n == channel]
            assert tested.peer(channel, now) == (peers[0] if peers else None)


def test_a_permission_lasts_300_seconds():
    tested = allocation()
    tested.permit("9.0.0.1", 10.0)
    assert tested.permits("9.0.0.1", 309.9)
    assert not tested.permits("9.0.0.1", 310.0)


def test_a_channel_lasts_600_seconds_and_its_permission_300():
    tested = allocation()
    tested.bind(0x4000, ("9.0.0.1", 1000), 10.0)
    assert tested.peer(0x4000, 609.9) == ("9.0.0.1", 1000)
    assert tested.channel(("9.0.0.1", 1000), 609.9) == 0x4000
    assert tested.peer(0x4000, 610.0) is None
    assert tested.channel(("9.0.0.1", 1000), 610.0) is None
    assert tested.permits("9.0.0.1", 309.9)
    assert not tested.permits("9.0.0.1", 310.0)


@pytest.mark.parametrize("number", [0, 0x3FFF, 0x8000, 0xFFFF])
def test_other_numbers_are_no_channels(number):
    with pytest.raises(ValueError, match=f"not 0x{number:04x}"):
        allocation().bind(number, ("9.0.0.1", 1000), 0.0)


def test_what_is_bound_otherwise():
    tested = allocation()
    tested.bind(0x4000, ("9.0.0.1", 1000), 0.0)
    with pytest.raises(ValueError, match="channel 0x4000 is bound to another peer"):
        tested.bind(0x4000, ("9.0.0.1", 2000), 0.0)
    with pytest.raises(ValueError, match=r"9\.0\.0\.1:1000 is bound to another channel"):
        tested.bind(0x4001, ("9.0.0.1", 1000), 0.0)


@pytest.mark.parametrize(
    ("asked", "given"), [(None, 600), (0, 600), (599, 600), (777, 777), (3600, 3600), (10**9, 3600)]
)
def test_lifetime(asked, given):
    """At least the default of ten minutes, at most an hour (RFC 8656, section 7.2)."""
    assert lifetime_s(asked) == given
