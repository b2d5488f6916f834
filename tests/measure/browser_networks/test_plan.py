"""Tests of jamlab.measure.browser_networks.plan."""

import pytest

from jamlab.measure.browser_networks.plan import BrowserNetworksPlan, browser_networks_plan
from jamlab.measure.latency.plan import PlanError
from jamlab.media.quality import UnsupportedQualityError
from jamlab.networks.model.profile import UnknownProfileError


def test_the_page_gets_room_name_quality_and_key():
    plan = BrowserNetworksPlan((), quality="high quality").on("http://198.18.0.1:4000/", "k/1")
    address = plan.address("player 1", 0)
    assert address == (
        "http://198.18.0.1:4000/?room=lab&name=player%201&quality=high-quality#key=k%2F1"
    )
    assert (plan.sessions, plan.target_ms) == (1, 100.0)


def test_without_profiles_it_has_all_cases_of_the_kernels_network():
    names = [case.name for case in browser_networks_plan().cases]
    assert names[:2] == ["no distance, direct", "no distance, relayed"]
    assert len(names) == len(set(names)) > 10
    assert browser_networks_plan(peers=3).players == ["player 1", "player 2", "player 3"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"browser": "firefox"}, "browser is firefox, which gives no microphone"),
        ({"peers": 7}, "peers is 7: choose 2 to 6"),
        ({"duration_s": 1.0}, "duration_s is 1: choose 2 to 600"),
        ({"max_concealed_percent": 99.0}, "max_concealed_percent is 99"),
    ],
)
def test_what_is_out_of_range_is_refused(changed, words):
    with pytest.raises(PlanError, match=words):
        BrowserNetworksPlan((), **changed)


def test_names_that_nothing_has_are_refused():
    with pytest.raises(UnknownProfileError, match="no network profile 'Mars'"):
        browser_networks_plan(["Mars"])
    with pytest.raises(UnsupportedQualityError, match="unknown quality 'loud'"):
        BrowserNetworksPlan((), quality="loud")
