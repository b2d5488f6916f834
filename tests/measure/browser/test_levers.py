"""Tests of jamlab.measure.browser.levers."""

import pytest

from jamlab.measure.browser.levers import LEVERS, levers_named, page_settings
from jamlab.measure.latency.plan import PlanError


def test_every_lever_does_something_and_says_what():
    for lever in LEVERS:
        assert lever.page or lever.arguments or lever.period_frames
        assert len(lever.change) > 20


def test_levers_together_have_all_settings():
    assert page_settings(levers_named(["ptime 10", "jitterBufferTarget 0"])) == {
        "ptimeMs": 10,
        "jitterBufferTargetMs": 0,
    }


def test_a_lever_that_is_not_known_is_refused():
    with pytest.raises(PlanError, match="there is no lever 'ptime 5': choose ptime 10"):
        levers_named(["ptime 5"])
