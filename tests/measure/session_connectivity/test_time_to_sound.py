"""The time by which a share of calls has sound, against intervals that are known otherwise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jamlab.measure.connectivity.time_to_connect import connection_curve, time_to_connect
from jamlab.measure.session_connectivity.time_to_sound import time_to_sound
from jamlab.measure.statistics import proportion
from tests.examples import examples
from tests.measure.connectivity.attempts import (
    CONE,
    PORT_RESTRICTED,
    SYMMETRIC,
    Drawn,
    reachable,
)

from .meetings import campaign, row, table

ONE_PLACE = Drawn("one place", {CONE: 1.0}, endpoints=None)


def sessions_of(times_s):
    """Calls within one place; an infinite time is a call that fails."""
    rows = [
        row(n, CONE, CONE, "failed" if math.isinf(time_s) else "direct", time_s)
        for n, time_s in enumerate(times_s)
    ]
    return table(rows)


@examples(30)
@given(
    times_s=st.lists(st.floats(0.2, 20) | st.just(math.inf), min_size=1, max_size=40),
    quantile=st.floats(0.05, 0.95),
)
def test_within_one_place_it_is_the_quantile_with_its_exact_interval(times_s, quantile):
    sessions = sessions_of(times_s)
    as_attempts = sessions.rename(columns={"first_sound_s": "time_to_connect_s"})
    expected = time_to_connect(connection_curve(as_attempts), quantile)
    of_few = proportion(0, len(times_s), "exact").high >= quantile
    ends = expected.value, 0.0 if of_few else expected.low, expected.high
    found = time_to_sound(sessions, ONE_PLACE, quantile)
    assert (found.value, found.low, found.high) == pytest.approx(ends)


def test_calls_without_sound_are_infinitely_late():
    sessions = sessions_of([0.5] * 90 + [math.inf] * 10)
    assert time_to_sound(sessions, ONE_PLACE, 0.5).value == 0.5
    late = time_to_sound(sessions, ONE_PLACE, 0.95)
    assert (late.value, late.high) == (math.inf, math.inf)


def test_uncertain_shares_widen_the_interval():
    """Relayed calls are late; how many there are depends on the share of symmetric NATs."""
    shares = {PORT_RESTRICTED: 0.8, SYMMETRIC: 0.2}
    sessions = campaign(Drawn("known", shares, None), calls=2000, relayed_s=5.0).sessions
    certain = time_to_sound(sessions, Drawn("known", shares, None), 0.6)
    doubted = time_to_sound(sessions, Drawn("doubted", shares, 30), 0.6)
    assert doubted.low < certain.low < certain.high < 1.0 < 5.0 < doubted.high
    assert doubted.value == certain.value


@pytest.mark.slow
@pytest.mark.parametrize("quantile", [0.75, 0.9])
def test_the_interval_covers_the_truth(quantile):
    """Populations are published after counting 100; 300 calls are drawn from what is published.

    The truth is the mixture of direct and relayed calls, by the shares that were counted from.
    """
    names, truth = [CONE, PORT_RESTRICTED, SYMMETRIC], np.array([0.2, 0.65, 0.15])
    direct = float(truth @ np.array([[reachable(a, b) for b in names] for a in names]) @ truth)
    late = quantile > direct
    inside = (quantile - direct) / (1 - direct) if late else quantile / direct
    true_s = (3.0 if late else 0.3) + stats.gamma(3.0, scale=0.05).ppf(inside)
    draws, covered, runs = np.random.default_rng(8), 0, 40
    for run in range(runs):
        counts = draws.multinomial(100, truth) + 1e-6
        published = dict(zip(names, counts / counts.sum(), strict=True))
        population = Drawn("published", published, endpoints=100)
        sessions = campaign(population, calls=300, seed=run, relayed_s=3.0).sessions
        found = time_to_sound(sessions, population, quantile)
        covered += found.low <= true_s <= found.high
    assert covered / runs >= 0.9


@pytest.mark.parametrize("quantile", [0.0, 1.0, np.nan])
def test_quantiles_are_shares(quantile):
    with pytest.raises(ValueError, match="give a share above 0 and below 1"):
        time_to_sound(sessions_of([0.5]), ONE_PLACE, quantile)
