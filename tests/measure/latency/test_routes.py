"""The route of packets, from the reports of both ends."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.latency.routes import DIRECT, RELAYED, taken, wrong_routes
from jamlab.mesh.figures import CANDIDATE_TYPES

ROUTES = st.sampled_from(CANDIDATE_TYPES)


@pytest.mark.parametrize(("here", "there"), [*itertools.product(CANDIDATE_TYPES, repeat=2)])
def test_a_pair_is_relayed_when_either_end_says_so(here, there):
    routes = {"ada": {"ben": here}, "ben": {"ada": there}}
    expected = RELAYED if "relay" in (here, there) else DIRECT
    assert taken(routes, "ada", "ben") == taken(routes, "ben", "ada") == expected


def test_one_end_is_enough_and_none_is_not():
    assert taken({"ada": {"ben": "host"}, "ben": {}}, "ada", "ben") == DIRECT
    assert taken({"ada": {"ben": "relay"}}, "ben", "ada") == RELAYED
    assert taken({"ada": {}, "ben": {}}, "ada", "ben") is None


def test_a_record_about_no_route_has_none_that_is_wrong():
    assert list(wrong_routes({"parameters": {}})) == []


def test_what_is_wrong_is_said_of_each_pair_once():
    routes = {
        "ada": {"ben": "host", "cleo": "relay"},
        "ben": {"ada": "srflx"},
        "cleo": {"ada": "relay"},
    }
    assert list(wrong_routes({"route": DIRECT, "routes": routes})) == [
        "packets between ada and cleo were relayed instead of direct",
        "packets between ben and cleo had no known route instead of direct",
    ]


@given(st.lists(st.sampled_from("abcdef"), unique=True, min_size=2), st.data())
def test_either_all_is_as_asked_or_something_is_said(players, data):
    routes = {
        one: {other: data.draw(ROUTES) for other in players if other != one} for one in players
    }
    relayed = [
        "relay" in (routes[one][other], routes[other][one])
        for one, other in itertools.combinations(players, 2)
    ]
    wrong = {
        asked: list(wrong_routes({"route": asked, "routes": routes})) for asked in (DIRECT, RELAYED)
    }
    assert len(wrong[DIRECT]) == sum(relayed)
    assert len(wrong[RELAYED]) == len(relayed) - sum(relayed)
