"""The table of pairs, compared with known clocks, latencies and delays."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from jamlab.measure.live_mesh.messages import MeshReport
from jamlab.measure.live_mesh.pairs import PAIR_COLUMNS, absent, pairs_table, worst_partners
from jamlab.measure.live_mesh.record import record_of
from tests.examples import examples
from tests.measure.live_mesh.reports import FLOOR_MS, TRUE_START_S, Mesh, a_request, even_mesh
from tests.measure.live_mesh.simulated_mesh import clock

TWO = ("ada", "ben")
ROUNDING_MS = 0.01  # skew over the fraction of a second between two clicks, and floats


def row_of(pairs, sender, receiver):
    return pairs[(pairs["sender"] == sender) & (pairs["receiver"] == receiver)].iloc[0]


clocks = st.builds(clock, st.floats(-1e5, 1e5), st.floats(-2e-4, 2e-4))
figures = st.floats(0.0, 0.2)


@examples(40)
@given(clocks, clocks, figures, figures, figures, figures)
def test_the_truth_is_in_every_interval(ada, ben, there_s, back_s, more_there_s, more_back_s):
    """Packets take `there_s` and `back_s`; a click takes as much, the floor, and some more."""
    least_s = FLOOR_MS / 1000
    delays = {TWO: there_s, TWO[::-1]: back_s}
    latencies = {
        TWO: there_s + least_s + more_there_s,
        TWO[::-1]: back_s + least_s + more_back_s,
    }
    mesh = Mesh({"ada": ada, "ben": ben}, lambda a, b: latencies[a, b], lambda a, b: delays[a, b])
    for row in pairs_table(mesh.record()).itertuples():
        true_ms = latencies[row.sender, row.receiver] * 1000
        assert row.one_way_min_ms - 0.1 <= true_ms <= row.one_way_max_ms + 0.1
        assert row.both_ways_ms == pytest.approx(sum(latencies.values()) * 1000, abs=0.3)
        sender, receiver = mesh.clocks[row.sender], mesh.clocks[row.receiver]
        ahead_s = receiver.at(TRUE_START_S + 4) - sender.at(TRUE_START_S + 4)
        assert row.offset_min_s - 2e-3 <= ahead_s <= row.offset_max_s + 2e-3
        true_ppm = ((1 + receiver.skew) / (1 + sender.skew) - 1) * 1e6
        assert row.skew_min_ppm - 0.2 <= true_ppm <= row.skew_max_ppm + 0.2
        assert row.why == ""


def test_half_of_both_ways_is_nobodys_latency():
    """70 ms there and 15 ms back: the interval holds both, their mean is neither."""
    latencies = {TWO: 0.070, TWO[::-1]: 0.015}
    mesh = Mesh(
        {"ada": clock(), "ben": clock(3600.0)},
        lambda a, b: latencies[a, b],
        lambda a, b: latencies[a, b] - 0.010,
    )
    pairs = pairs_table(mesh.record())
    for (sender, receiver), true_s in latencies.items():
        row = row_of(pairs, sender, receiver)
        assert row["one_way_min_ms"] <= true_s * 1000 <= row["one_way_max_ms"]
        assert abs(row["both_ways_ms"] / 2 - true_s * 1000) > 25
        width_ms = row["one_way_max_ms"] - row["one_way_min_ms"]
        assert width_ms == pytest.approx(65, abs=0.2)  # 60 ms and 5 ms of packets' delay


def test_both_ways_are_the_sum_on_one_clock():
    latencies = {TWO: 0.040, TWO[::-1]: 0.025}
    mesh = Mesh({n: clock() for n in TWO}, lambda a, b: latencies[a, b], lambda a, b: 0.01)
    for row in pairs_table(mesh.record()).itertuples():
        assert row.both_ways_ms == pytest.approx(65.0, abs=1e-3)
        assert row.both_ways_p95_ms == pytest.approx(65.0, abs=1e-3)


def test_shares_and_counts():
    pairs = pairs_table(even_mesh(heard=lambda a, b, k: (a, k % 4) != ("ada", 0)).record())
    from_ada, from_ben = row_of(pairs, "ada", "ben"), row_of(pairs, "ben", "ada")
    assert (from_ada["clicks"], from_ada["heard_share"]) == (24, 0.75)
    assert from_ben["heard_share"] == 1
    assert from_ada["concealed_share"] == 0.01
    assert list(pairs.columns) == list(PAIR_COLUMNS)
    assert from_ada["both_ways_ms"] == pytest.approx(60.0, abs=ROUNDING_MS)


def test_who_is_not_heard_has_no_latency():
    pairs = pairs_table(even_mesh(heard=lambda a, b, k: a != "ada").record())
    silent, heard = row_of(pairs, "ada", "ben"), row_of(pairs, "ben", "ada")
    assert silent["heard_share"] == 0
    assert math.isnan(silent["one_way_max_ms"])
    assert math.isnan(heard["both_ways_ms"])
    assert heard["one_way_min_ms"] <= 30 <= heard["one_way_max_ms"]  # by packets both ways


@pytest.mark.parametrize(
    ("off_ms", "possible"),
    [(2 * FLOOR_MS - 60.0, True), (2 * FLOOR_MS - 62.0, False), (-1800, False)],
)
def test_a_latency_below_both_floors_is_no_figure_but_a_reason(off_ms, possible):
    """Clicks take 30 ms each way; one listener's sound has a clock that is off."""
    mesh = even_mesh(TWO)
    record = mesh.record()
    late = record.clicks["receiver"] == "ben"
    record.clicks.loc[late, "heard_s"] += off_ms / 1000
    row = row_of(pairs_table(record), "ada", "ben")
    assert math.isnan(row["both_ways_ms"]) is not possible
    assert math.isnan(row["one_way_max_ms"]) is not possible
    assert ("the least possible" in row["why"]) is not possible


def test_a_clock_that_was_set_leaves_what_needs_no_clock():
    mesh = even_mesh(TWO)
    arrivals = mesh.arrivals

    def set_meanwhile(sender, receiver):
        for number, (timestamp, came_s) in enumerate(arrivals(sender, receiver)):
            yield timestamp, came_s - (5.0 if receiver == "ben" and number > 8 else 0.0)

    mesh.arrivals = set_meanwhile
    row = row_of(pairs_table(mesh.record()), "ada", "ben")
    assert "contradict" in row["why"]
    assert math.isnan(row["offset_min_s"])
    assert row["both_ways_ms"] == pytest.approx(60.0, abs=ROUNDING_MS)
    assert row["one_way_min_ms"] == pytest.approx(FLOOR_MS)
    assert row["one_way_max_ms"] == pytest.approx(60.0 - FLOOR_MS, abs=ROUNDING_MS)


def test_without_packets_too():
    mesh = even_mesh(TWO)
    mesh.arrivals = lambda sender, receiver: ()
    row = row_of(pairs_table(mesh.record()), "ada", "ben")
    assert row["why"] == "no packet there was noted at both ends"
    assert row["one_way_min_ms"] <= 30 <= row["one_way_max_ms"]


def test_a_pair_of_which_only_one_knows():
    mesh = even_mesh(TWO)
    reports = {name: mesh.report(name) for name in TWO}
    del reports["ada"].hearings["ben"]
    (row,) = pairs_table(record_of(mesh.request, reports)).to_dict("records")
    assert (row["sender"], row["receiver"]) == TWO
    assert row["why"] == "the way back is unknown"
    assert row["heard_share"] == 1
    assert math.isnan(row["one_way_min_ms"])


def test_nobody_is_no_row():
    mesh = even_mesh(TWO)
    record = record_of(mesh.request, {"ada": mesh.report("ada"), "ben": None})
    pairs = pairs_table(record)
    assert list(pairs.columns) == list(PAIR_COLUMNS)
    assert pairs.empty
    assert worst_partners(pairs).empty
    assert list(absent(record)) == [("ben", "none")]


def test_the_worst_partner_is_the_one_furthest_away_both_ways():
    far = {frozenset(("ada", "ben")): 0.02, frozenset(("ada", "cleo")): 0.05}
    mesh = Mesh(
        {name: clock() for name in ("ada", "ben", "cleo")},
        lambda a, b: far.get(frozenset((a, b)), 0.04),
        lambda a, b: 0.001,
    )
    worst = worst_partners(pairs_table(mesh.record())).set_index("player")
    assert worst["partner"].to_dict() == {"ada": "cleo", "ben": "cleo", "cleo": "ada"}
    assert worst["both_ways_ms"].to_dict() == pytest.approx(
        {"ada": 100, "ben": 80, "cleo": 100}, abs=ROUNDING_MS
    )


def test_a_partner_that_is_not_heard_is_the_worst():
    mesh = even_mesh(heard=lambda a, b, k: "ben" not in (a, b) or "cleo" in (a, b))
    worst = worst_partners(pairs_table(mesh.record())).set_index("player")
    assert worst["partner"]["ada"] == "ben"
    assert worst["partner"]["ben"] == "ada"
    assert worst["heard_share"]["ada"] == 0


@examples(20)
@given(st.integers(0, 2**32 - 1), st.floats(100, 600))
def test_jitter_and_lost_clicks_move_no_interval_off_the_truth(seed, bpm):
    rng = np.random.default_rng(seed)
    request = a_request(TWO, 30, bpm)
    latencies_s = {pair: 0.03 + rng.uniform(0, 0.05) for pair in (TWO, TWO[::-1])}
    mesh = Mesh(
        {"ada": clock(), "ben": clock(rng.uniform(-1e4, 1e4), rng.uniform(-2e-4, 2e-4))},
        lambda a, b: latencies_s[a, b],
        lambda a, b: (latencies_s[a, b] - 0.012) + rng.exponential(0.02),
        request,
        lambda a, b, k: rng.random() < 0.8,
    )
    for row in pairs_table(mesh.record()).itertuples():
        true_ms = latencies_s[row.sender, row.receiver] * 1000
        assert row.one_way_min_ms - 0.1 <= true_ms <= row.one_way_max_ms + 0.1


times = st.floats(-300, 300)
claims = st.fixed_dictionaries(
    {},
    optional={
        "began_s": st.floats(-1e11, 1e11),
        "frame_s": st.floats(0.99 / 48_000, 1.01 / 48_000),
        "packet_frames": st.integers(0, 48_000),
        "playing_frames": st.integers(0, 48_000),
    },
)
heard = st.fixed_dictionaries(
    {},
    optional={
        "heard": st.lists(st.none() | times, min_size=24, max_size=24),
        "arrivals": st.lists(st.tuples(st.integers(0, 2**32 - 1), times).map(list), max_size=5),
        "origin": st.none() | st.integers(0, 2**32 - 1),
    },
)


@examples(60)
@given(claims, heard)
def test_whatever_somebody_claims_the_others_figures_stand(claimed, heard_of_ada):
    """A report that is well formed can still be made up."""
    mesh = even_mesh()
    made_up = mesh.report("cleo").to_data() | claimed
    made_up["hearings"]["ada"] |= heard_of_ada
    reports = {name: mesh.report(name) for name in ("ada", "ben")}
    reports["cleo"] = MeshReport.from_data(made_up, mesh.request)
    pairs = pairs_table(record_of(mesh.request, reports))
    assert len(pairs) == 6
    row = row_of(pairs, "ada", "ben")
    assert row["one_way_min_ms"] <= 30 <= row["one_way_max_ms"]
    assert row["both_ways_ms"] == pytest.approx(60.0, abs=ROUNDING_MS)
