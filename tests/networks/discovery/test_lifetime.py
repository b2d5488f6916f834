"""The lifetime search against known lifetimes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.discovery.lifetime import PARTS, LifetimeSearch

LIMITS = st.floats(0.1, 1e5)
RESOLUTIONS = st.floats(0.05, 1e3)


def searched(lifetime_s, limit_s, resolution_s, asking_s=0.0):
    """Play the search against a NAT; return its bounds, how many rounds, and how long it takes."""
    search = LifetimeSearch(limit_s, resolution_s)
    rounds, took_s = 0, 0.0
    while waits_s := search.waits_s():
        rounds += 1
        assert waits_s == sorted(waits_s)
        assert 0 < len(waits_s) <= PARTS
        assert all(0 < wait_s <= limit_s for wait_s in waits_s)
        for wait_s in waits_s:
            still_open = wait_s < lifetime_s
            search.tell(wait_s, math.inf if still_open else wait_s + asking_s)
            if not still_open:
                break
        took_s += wait_s + asking_s
        assert rounds < 60
    return search.bounds_s, rounds, took_s


@given(st.floats(0.01, 2e5), LIMITS, RESOLUTIONS, st.floats(0, 3))
def test_bounds_are_as_close_as_was_asked(lifetime_s, limit_s, resolution_s, asking_s):
    (low_s, high_s), _, _ = searched(lifetime_s, limit_s, resolution_s, asking_s)
    assert low_s <= lifetime_s
    if lifetime_s > limit_s:
        assert (low_s, high_s) == (limit_s, math.inf)
    else:
        assert lifetime_s <= high_s
        assert high_s - low_s <= resolution_s * (1 + 1e-9) + asking_s


@given(st.floats(0.01, 600))
def test_takes_three_lifetimes_and_a_ninth_of_the_limit(lifetime_s):
    """600 s to 5 s are two cuts into nine, and one more into two."""
    _, rounds, took_s = searched(lifetime_s, 600, 5)
    assert rounds <= 3
    assert took_s <= 3 * lifetime_s + 600 / PARTS + 600 / PARTS**2 + 5


def test_each_round_cuts_the_interval_into_nine():
    search = LifetimeSearch(90, 1)
    assert search.waits_s() == pytest.approx([10, 20, 30, 40, 50, 60, 70, 80, 90])
    for wait_s, closed_after_s in ((10, math.inf), (20, math.inf), (30, 30.5)):
        search.tell(wait_s, closed_after_s)
    assert search.bounds_s == (20, 30.5)
    assert search.waits_s() == pytest.approx([20 + n * 10 / 9 for n in range(1, 9)])


def test_nothing_longer_than_the_limit_is_looked_for():
    search = LifetimeSearch(9, 1)
    for wait_s in search.waits_s():
        search.tell(wait_s, math.inf)
    assert search.waits_s() == []
    assert search.bounds_s == (9, math.inf)


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
def test_values_without_sense(value):
    with pytest.raises(ValueError, match="give seconds above 0"):
        LifetimeSearch(value, 1)
    with pytest.raises(ValueError, match="give seconds above 0"):
        LifetimeSearch(1, value)
