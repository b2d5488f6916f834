"""Equal latency: the rule by hand, and a mesh of unequal paths, measured by clicks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.run import measure_latency
from jamlab.mesh.equal import MOST_S, SLACK_S, STEP_S, Additions, SlowestPath
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import HostConfig, Topology, host_name
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world

ANY_LATENCY_S = st.floats(0, 0.3)


def settled(additions, own_s, samples=200):
    """Return what is added to each path after many equal estimates."""
    for _ in range(samples):
        added = {peer: additions.observe(peer, latency_s) for peer, latency_s in own_s.items()}
    return added


@given(
    st.dictionaries(st.sampled_from("abcde"), ANY_LATENCY_S, min_size=1),
    st.lists(ANY_LATENCY_S, max_size=4),
)
def test_every_path_becomes_as_long_as_the_slowest_that_counts(own_s, reported_s):
    additions = Additions()
    for number, latency_s in enumerate(reported_s):
        additions.hear(f"peer {number}", latency_s)
    counted = [each for each in (*own_s.values(), *reported_s) if each <= MOST_S]
    for peer, added_s in settled(additions, own_s).items():
        lacking_s = max(0.0, max(counted, default=0.0) - own_s[peer])
        assert added_s == pytest.approx(lacking_s, abs=SLACK_S)


@given(st.lists(st.tuples(st.sampled_from("ab"), ANY_LATENCY_S), min_size=1, max_size=60))
def test_no_change_is_greater_than_a_step(estimates):
    additions, before = Additions(), {}
    for peer, latency_s in estimates:
        added_s = additions.observe(peer, latency_s)
        assert abs(added_s - before.get(peer, 0.0)) <= STEP_S * 1.0001
        before[peer] = added_s


def test_a_spike_of_one_estimate_changes_nothing():
    additions = Additions()
    settled(additions, {"ben": 0.010, "cleo": 0.030})
    assert additions.observe("ben", 0.080) == additions.observe("ben", 0.010)


def test_a_path_that_nobody_waits_for_hides_no_other():
    additions = Additions()
    settled(additions, {"ben": 0.060, "cleo": 0.150})
    assert additions.slowest_s == 0.060


def test_nobody_waits_for_a_peer_that_has_left():
    additions = Additions()
    additions.hear("cleo", 0.040)
    assert settled(additions, {"ben": 0.010})["ben"] == pytest.approx(0.030, abs=SLACK_S)
    additions.forget("cleo")
    assert settled(additions, {"ben": 0.010})["ben"] == pytest.approx(0, abs=SLACK_S)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "sound change"},
        {"kind": "slowest path"},
        {"kind": "slowest path", "latencyS": "0.1"},
        {"kind": "slowest path", "latencyS": -0.1},
        {"kind": "slowest path", "latencyS": float("nan")},
        {"kind": "slowest path", "latencyS": 1e300},
    ],
)
def test_other_reports_and_nonsense_are_ignored(data):
    assert SlowestPath.from_data(data) is None


def test_a_report_is_read_as_it_was_written():
    assert SlowestPath.from_data(SlowestPath(0.0123).to_data()) == SlowestPath(0.0123)


def median_ms(plan, access_s):
    """Return the median latency of every path between hosts at unequal distances."""

    async def measure():
        hosts = (
            HostConfig(host_name(name), LinkConfig(delay_s=delay_s))
            for name, delay_s in zip(plan.names, access_s, strict=True)
        )
        internet = Internet(Topology(tuple(hosts)))
        rng = np.random.default_rng(7)
        return await measure_latency(plan, where=lambda n: internet.host(host_name(n)), rng=rng)

    with simulated_world():
        record = run_simulated(measure(), seed=7)
    return record.clicks.groupby(["sender", "receiver"])["latency_ms"].median()


@pytest.mark.slow
def test_paths_of_unequal_networks_become_equal():
    """Two neighbours, and one who is 8 ms away: clicks tell, which the session knows nothing of."""
    common = {"peers": 3, "sessions": 1, "duration_s": 3.0, "round_trip_s": 0.0}
    distances_s = 0.001, 0.002, 0.010
    apart = median_ms(LatencyPlan(**common), distances_s)
    equal = median_ms(LatencyPlan(**common, settle_s=12.0, equal_latency=True), distances_s)
    assert apart.max() - apart.min() > 7
    assert equal.max() - equal.min() < 2
    assert equal.max() == pytest.approx(apart.max(), abs=2)
