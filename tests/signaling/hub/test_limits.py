import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.signaling.hub.limits import CallWindow, Limits


@pytest.mark.parametrize("limit", [limit.name for limit in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, math.nan])
def test_a_limit_is_above_zero(limit, value):
    with pytest.raises(ValueError, match=f"limit {limit} must be above zero, not {value}"):
        Limits(**{limit: value})


def test_the_hosted_limits_are_within_the_defaults():
    # what a client may do there it may do here: 100 events/s, 5 calls in 30 s, 256 KB
    limits = Limits()
    assert limits.events_per_s >= limits.socket_events_per_s >= 100
    assert (limits.presence_calls, limits.presence_window_s) == (5, 30)
    assert limits.message_bytes >= 256_000


@given(
    st.lists(st.floats(0, 20), max_size=30),
    st.integers(1, 5),
    st.floats(0.5, 30),
)
def test_no_window_has_more_calls_and_none_is_refused_needlessly(gaps, calls, window_s):
    window = CallWindow(calls, window_s)
    now_s, taken = 0.0, []
    for gap in gaps:
        now_s += gap
        recent = [at for at in taken if at + window_s > now_s]
        assert window.take(now_s) == (len(recent) < calls)
        if len(recent) < calls:
            taken.append(now_s)
