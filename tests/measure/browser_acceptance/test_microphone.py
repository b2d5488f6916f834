"""Tests of jamlab.measure.browser_acceptance.microphone; browsers play it in test_run."""

import pytest

from jamlab.measure.browser_acceptance.microphone import processed

OFF = {"echoCancellation": False, "noiseSuppression": False, "autoGainControl": False}


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        ([OFF], 0),
        ([True, OFF], 0),
        ([OFF, True], 3),
        ([], 3),
        ([{**OFF, "autoGainControl": {"ideal": False}}], 0),
        ([{**OFF, "echoCancellation": True}], 1),
        ([{**OFF, "echoCancellation": {"exact": True}}], 1),
    ],
)
def test_the_last_request_counts_and_what_it_leaves_open_is_the_browsers(asked, steps):
    assert processed(asked) == steps
