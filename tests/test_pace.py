import math
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.pace import TokenBucket, backoff_s
from tests.examples import examples

gaps_s = st.lists(st.floats(0, 20), max_size=60)


def test_a_burst_and_then_the_rate():
    bucket = TokenBucket(2.0, 3)
    assert [bucket.take(1, 10.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait_s(1, 10.0) == pytest.approx(0.5)
    assert not bucket.take(1, 10.4)
    assert bucket.take(1, 10.5)
    assert bucket.wait_s(3, 10.5) == pytest.approx(1.5)


def test_it_holds_no_more_than_a_burst():
    bucket = TokenBucket(2.0, 3)
    assert sum(bucket.take(1, 1e6) for _ in range(10)) == 3
    assert sum(bucket.take(1, 2e6) for _ in range(10)) == 3


def test_it_is_full_when_nothing_was_taken_for_long_enough():
    bucket = TokenBucket(2.0, 3)
    assert bucket.is_full(0.0)
    bucket.take(2, 10.0)
    assert not bucket.is_full(10.9)
    assert bucket.is_full(11.0)


def test_what_costs_more_than_a_burst_takes_all():
    bucket = TokenBucket(2.0, 3)
    assert bucket.take(100, 0.0)
    assert bucket.wait_s(100, 0.0) == pytest.approx(1.5)
    assert not bucket.take(100, 1.4)
    assert bucket.take(100, 1.5)


def test_a_clock_that_goes_back_gives_nothing():
    bucket = TokenBucket(1.0, 1)
    assert bucket.take(1, 10.0)
    assert not bucket.take(1, 0.0)


@examples(60)
@given(gaps_s)
def test_never_more_than_five_presence_calls_in_thirty_seconds(gaps):
    """The hosted service's rule, in every window."""
    bucket, now_s, taken = TokenBucket(2 / 30, 3), 0.0, []
    for gap_s in gaps:
        now_s += gap_s
        if bucket.take(1, now_s):
            taken.append(now_s)
    for start_s in taken:
        assert sum(start_s <= at_s < start_s + 30 for at_s in taken) <= 5


@examples(60)
@given(gaps_s, st.floats(0.1, 100), st.floats(1, 50), st.floats(0.1, 80))
def test_it_can_be_taken_after_the_wait_it_says(gaps, rate_per_s, burst, cost):
    bucket, now_s = TokenBucket(rate_per_s, burst), 0.0
    for gap_s in gaps:
        now_s += gap_s
        bucket.take(cost, now_s)
    now_s += bucket.wait_s(cost, now_s)
    assert bucket.take(cost, now_s)


@examples(60)
@given(st.integers(0, 10_000), st.integers())
def test_backing_off_doubles_up_to_the_most_with_jitter(attempt, seed):
    wait_s = backoff_s(attempt, Random(seed), first_s=0.5, most_s=10.0)
    longest_s = min(10.0, 0.5 * math.exp2(min(attempt, 1000)))
    assert longest_s / 2 <= wait_s <= longest_s


def test_those_who_lost_it_together_come_back_apart():
    random = Random(1)
    waits_s = [backoff_s(3, random, first_s=0.5, most_s=10.0) for _ in range(8)]
    assert len(set(waits_s)) == 8
