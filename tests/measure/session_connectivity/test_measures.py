"""What each measure adds by the rule, and which calls go against it."""

import pytest

from jamlab.measure.session_connectivity.measures import (
    MEASURES,
    against_rule,
    direct_by_rule,
    steps_table,
)
from tests.measure.connectivity.attempts import (
    BLOCKED,
    CONE,
    HOME,
    OPEN,
    PORT_RESTRICTED,
    SYMMETRIC,
    reachable,
)

from .meetings import campaign, row, table

PAIRS = [
    (OPEN, OPEN),
    (CONE, PORT_RESTRICTED),
    (PORT_RESTRICTED, PORT_RESTRICTED),
    (PORT_RESTRICTED, SYMMETRIC),
    (SYMMETRIC, SYMMETRIC),
    (BLOCKED, CONE),
    (OPEN, BLOCKED),
    (BLOCKED, BLOCKED),
]


FEATURES = "IPv6", "port mapping"


def met(pairs, result="relayed"):
    return table([row(n, *pair, result) for n, pair in enumerate(pairs)])


def test_each_measure_adds_what_the_rfcs_say():
    """Two public hosts; two more pairs by hole punching; two by a relay; the blocked by TCP."""
    steps = steps_table(met(PAIRS))
    assert list(steps["measure"]) == [name for name in MEASURES if name not in FEATURES]
    assert list(steps["share"] * len(PAIRS)) == pytest.approx([1, 3, 5, 8])
    assert list(steps["gain"] * len(PAIRS)) == pytest.approx([1, 2, 2, 3])


def test_ipv6_and_port_mapping_have_steps_where_places_have_them():
    """Symmetric NATs: both with IPv6, whose firewalls open when both send, or one that maps."""
    dual, mapped = f"{SYMMETRIC}/random, IPv6 stateful", f"{SYMMETRIC}/random, port mapping"
    steps = steps_table(met([(dual, dual), (mapped, CONE), (mapped, PORT_RESTRICTED), *PAIRS[:1]]))
    assert list(steps["measure"]) == [*MEASURES]
    assert list(steps["share"] * 4) == pytest.approx([1, 2, 3, 4, 4, 4])


def test_a_call_counts_once_and_as_often_as_it_was_drawn():
    twice = [PAIRS[0], *PAIRS, PAIRS[0]]
    steps = steps_table(met(twice))
    assert steps["share"].iloc[0] == pytest.approx(3 / len(twice))


def test_direct_by_rule_is_what_another_wording_of_it_says():
    sessions = campaign(HOME, calls=200).sessions
    ends = zip(sessions["caller"], sessions["callee"], strict=True)
    assert list(direct_by_rule(sessions)) == [reachable(*pair) for pair in ends]


def test_without_stun_only_public_hosts_are_direct():
    assert list(direct_by_rule(met(PAIRS), stun=False)) == [True] + [False] * 7


def test_calls_against_the_rule_are_counted_by_direction():
    direct = met(PAIRS, "direct")
    assert against_rule(direct) == (0, 5)
    assert against_rule(met(PAIRS)) == (3, 0)
    assert against_rule(campaign(HOME, calls=100).sessions) == (0, 0)
