"""Port allocation on its own; test_nat tests it within a NAT."""

import random
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.nat_behaviour import PortAllocation
from jamlab.networks.simulated.ports import HIGHEST, LOWEST, PORT_COUNT, Binding, PortPool


def pool_holding(allocation, expiries_s, seed=1):
    """A pool whose ports are held until the given times."""
    pool = PortPool(allocation, random.Random(seed))
    for port, expires_s in expiries_s.items():
        pool.bindings[port] = Binding(port, ("10.0.0.1", 1), ("198.51.100.1", port), expires_s, {})
    return pool


class CountingDict(dict):
    """Count how often all the values are asked for."""

    asked = 0

    def values(self):
        self.asked += 1
        return super().values()


def test_range():
    """RFC 4787 REQ-3a."""
    assert (LOWEST, HIGHEST, PORT_COUNT) == (1024, 65535, 64512)


@given(
    st.sampled_from(PortAllocation),
    st.dictionaries(st.integers(1024, 1031), st.integers(0, 20), max_size=8),
    st.integers(0, 20),
    st.integers(1020, 1035),
    st.integers(),
)
def test_chooses_a_free_port_if_there_is_one(allocation, expiries_s, now_s, wanted, seed):
    pool = pool_holding(allocation, expiries_s, seed)
    free = {port for port in range(1024, 1032) if expiries_s.get(port, 0) <= now_s}
    with mock.patch.multiple("jamlab.networks.simulated.ports", HIGHEST=1031, PORT_COUNT=8):
        chosen = pool.choose(wanted, now_s)
    if allocation is PortAllocation.PRESERVE and wanted in free:
        assert chosen == wanted
    else:
        assert chosen in (free or {None})


@pytest.mark.parametrize("taken", [{}, {2001: 9.0}, {2001: 9.0, 2002: 9.0, 2003: 1.0}])
def test_contiguous_takes_the_next_free_one(taken):
    pool = pool_holding(PortAllocation.CONTIGUOUS, taken)
    with mock.patch.object(pool._rng, "randint", return_value=2000) as randint:
        assert pool.choose(7777, 5.0) == 2000
        following = pool.choose(7777, 5.0)
    assert following == next(p for p in range(2001, 2010) if taken.get(p, 0.0) <= 5.0)
    randint.assert_called_once_with(1024, 65535)


def test_contiguous_goes_on_at_the_lowest():
    pool = pool_holding(PortAllocation.CONTIGUOUS, {65535: 9.0, 1024: 9.0})
    with mock.patch.object(pool._rng, "randint", return_value=65534):
        assert [pool.choose(1, 0.0) for _ in range(2)] == [65534, 1025]


@given(st.integers(), st.integers(1024, 65535))
def test_random_does_not_look_at_the_inside_port(seed, wanted):
    one, other = (pool_holding(PortAllocation.RANDOM, {}, seed) for _ in range(2))
    assert one.choose(wanted, 0.0) == other.choose(5000, 0.0)


def test_an_exhausted_pool_is_searched_once_until_a_port_may_be_free():
    pool = pool_holding(PortAllocation.RANDOM, dict.fromkeys(range(1024, 65536), 10.0))
    pool.bindings = CountingDict(pool.bindings)
    assert [pool.choose(5000, float(now_s)) for now_s in range(10)] == [None] * 10
    assert pool.bindings.asked == 1
    for held in pool.bindings.values():
        held.expires_s = 20.0
    pool.bindings[4321].expires_s = 15.0
    pool.bindings.asked = 0
    assert [pool.choose(5000, float(now_s)) for now_s in range(10, 15)] == [None] * 5
    assert pool.bindings.asked == 1
    assert pool.choose(5000, 15.0) == 4321
