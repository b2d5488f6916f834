import math

import pytest

from jamlab.measure.connectivity.attempt import FAILED, Attempt
from jamlab.measure.connectivity.connects_here import obstacle_of


def attempt(result=FAILED, stage=""):
    return Attempt(result, "", "", "", math.nan, math.nan, 0.0, stage, "[]")


@pytest.mark.parametrize("stage", ["gathering", "checks", "DTLS", "deadline"])
def test_each_stage_an_attempt_fails_in_has_its_reason_and_remedy(stage):
    found = obstacle_of(attempt(stage=stage))
    assert found.reason
    assert found.remedy
    assert str(found) == f"{found.reason}: {found.remedy}"
