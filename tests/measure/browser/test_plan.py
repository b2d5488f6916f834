"""Tests of jamlab.measure.browser.plan."""

import pytest

from jamlab.measure.browser.plan import BrowserPlan
from jamlab.measure.latency.plan import PlanError

URL = "https://example.org/"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"url": "example.org"}, "begin it with https://"),
        ({"peers": 1}, "peers is 1: choose 2 to 6"),
        ({"peers": 7}, "peers is 7: choose 2 to 6"),
        ({"audio": "air"}, "choose injected or system"),
        ({"duration_s": 1.0}, "duration_s is 1: choose 6 to 600"),
        ({"target_ms": 0.0}, "target_ms is 0"),
        ({"target_ms": float("nan")}, "target_ms is nan"),
        ({"sessions": 0}, "sessions is 0"),
        ({"period_frames": 100}, "period_frames is 100: choose 64, 128"),
    ],
)
def test_a_plan_out_of_range_is_refused(changed, words):
    with pytest.raises(PlanError, match=words):
        BrowserPlan(**{"url": URL, **changed})


def test_without_an_address_it_is_the_reference_client():
    assert BrowserPlan().url == ""


def test_names_are_put_into_the_address():
    plan = BrowserPlan(URL + "?n={player}&s={session}#x")
    assert plan.address("a&b", 2) == URL + "?n=a%26b&s=2#x"
    assert BrowserPlan(URL).address("player 1", 0) == URL


def test_every_player_has_a_voice_of_its_own():
    metronomes = BrowserPlan(URL, peers=6).metronomes()
    assert len({each.voice for each in metronomes.values()}) == 6
    assert list(metronomes) == BrowserPlan(URL, peers=6).players
