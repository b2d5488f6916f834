"""Who can play with whom, against a search of all sets of players."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.ensemble import groups
from jamlab.measure.ensemble.groups import (
    LIMITS,
    ensemble_groups,
    ensemble_pairs,
    largest_groups,
)
from jamlab.measure.latency.musicians import BANDS
from tests.examples import examples
from tests.measure.ensemble.meshes import of_pairs

ALL_PAIRS = list(combinations(range(6), 2))


@given(st.sets(st.sampled_from(ALL_PAIRS)))
@examples(200)
def test_the_largest_groups_are_those_of_all_sets(pairs):
    sets = [
        frozenset(players)
        for count in range(2, 7)
        for players in combinations(range(6), count)
        if set(combinations(players, 2)) <= pairs
    ]
    most = max(map(len, sets), default=0)
    assert largest_groups(pairs) == {each for each in sets if len(each) == most}


def test_sixteen_players_are_no_work():
    pairs = set(combinations(range(16), 2)) - {(0, 1), (2, 3), (4, 5), (6, 7)}
    assert len(largest_groups(pairs)) == 16
    assert {len(group) for group in largest_groups(pairs)} == {12}


def test_limits_are_those_of_the_published_bands():
    assert set(LIMITS) < {band.below_ms for band in BANDS}


@pytest.fixture
def found(monkeypatch):
    def of(names, pairs_ms):
        monkeypatch.setattr(groups, "latencies_of", lambda _: of_pairs(names, pairs_ms))
        pairs = ensemble_pairs(None).set_index(["one", "other"])
        return pairs, ensemble_groups(None).set_index("limit_ms")

    return of


def test_a_distant_player_is_left_out_of_the_close_group(found):
    near, far = (12.0, 14.0), (33.0, 36.0)
    pairs, by_limit = found("abc", {"ab": near, "ac": far, "bc": far})
    assert by_limit.loc[20, "surely"] == by_limit.loc[30, "possibly"] == [["a", "b"]]
    assert by_limit.loc[40, "surely"] == [["a", "b", "c"]]
    assert "steady tempo" in pairs.loc[("a", "c"), "meaning"]


def test_a_limit_inside_an_interval_is_open(found):
    pairs, by_limit = found("ab", {"ab": (18.0, 33.0)})
    assert by_limit["surely"].tolist() == [[], [], [["a", "b"]], [["a", "b"]]]
    assert by_limit["possibly"].tolist() == [[["a", "b"]]] * 4
    assert "between “as in one room” and" in pairs.loc[("a", "b"), "meaning"]


def test_on_the_limit_is_not_below_it(found):
    _, by_limit = found("ab", {"ab": (20.0, 20.0)})
    assert by_limit.loc[20, "possibly"] == []
    assert by_limit.loc[30, "surely"] == [["a", "b"]]


def test_a_pair_that_is_not_known_is_possible_and_never_sure(found):
    pairs, by_limit = found("abc", {"ab": (12.0, 14.0)})
    assert pairs.loc[("a", "c"), "meaning"] == "not known"
    assert by_limit.loc[20, "surely"] == [["a", "b"]]
    assert by_limit.loc[20, "possibly"] == [["a", "b", "c"]]
