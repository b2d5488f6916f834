"""Verdicts on chosen delays."""

import numpy as np
import pytest

from jamlab.measure.recording.verdicts import recording_verdicts
from jamlab.measure.verdict import Outcome
from tests.measure.recording.records import arrival, beats, recording_record


def test_without_a_target_there_is_none():
    assert recording_verdicts(recording_record()) == []


@pytest.mark.parametrize(("target_ms", "outcome"), [(40, Outcome.PASS), (20, Outcome.FAIL)])
def test_every_delay_is_judged(target_ms, outcome):
    (verdict,) = recording_verdicts(recording_record(target_ms=target_ms))
    assert (verdict.verdict, verdict.limit) == (outcome, target_ms)
    assert verdict.name == "delay, 95th percentile, channel 1 to channel 2"


def test_drops_count_as_infinitely_late():
    times = beats(200, 0.03)
    times[20:180:5] = np.nan
    record = recording_record(arrival(1, beats(200)), arrival(2, times, channel=2), target_ms=40)
    (verdict,) = recording_verdicts(record)
    assert verdict.verdict is Outcome.FAIL


def test_few_clicks_settle_nothing():
    record = recording_record(
        arrival(1, beats(30)), arrival(2, beats(30, 0.03), channel=2), target_ms=40
    )
    assert recording_verdicts(record)[0].verdict is Outcome.INCONCLUSIVE


def test_a_voice_that_arrives_once_has_no_delay():
    (verdict,) = recording_verdicts(recording_record(arrival(1, beats(30)), target_ms=40))
    assert verdict.verdict is Outcome.NOT_RUN
    assert "No voice arrives twice" in verdict.reason
