"""Stopwatch tests in rooms whose ways through air and networks are known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.latency.plan import PlanError
from jamlab.measure.recording.analysis import analyse
from jamlab.measure.recording.stopwatch import StopwatchPlan, stopwatch, stopwatch_notes
from jamlab.measure.recording.verdicts import recording_verdicts
from jamlab.measure.verdict import Outcome
from tests.examples import examples
from tests.measure.recording.records import arrival, beats, recording_record
from tests.measure.recording.takes import RATE, delayed, noise, track, write

SPEED_M_S = 343.0


def room(*arrivals, way="air", air_m=None, target_ms=None):
    record = recording_record(*arrivals, target_ms=target_ms)
    record.provenance["parameters"] |= {"stopwatch": way, "air_m": air_m}
    return record


def returned(delay_s, count=90, **rest):
    return arrival(1, beats(count), **rest), arrival(2, beats(count, delay_s), order=2)


def air_s(metres):
    return metres / SPEED_M_S


@given(
    metres=st.floats(0, 30),
    network_s=st.floats(0.006, 1.0),
    measured_m=st.floats(-0.1, 0.1),
)
@examples(50)
def test_the_interval_holds_the_network_s_way(metres, network_s, measured_m):
    given_m = max(0.0, metres + measured_m)
    read = stopwatch(room(*returned(air_s(metres) + network_s), air_m=given_m))
    assert read.median().low - 1e-9 <= 1e3 * network_s <= read.median().high + 1e-9
    assert read.name == "one way, B to A"


def test_a_recording_with_a_reflection_of_the_clicks_in_noise(tmp_path):
    """A room of 1.5 m, a network of 42 ms, and a recorder half a metre from the loudspeaker."""
    sound, rng = track(12), np.random.default_rng(5)
    direct = delayed(sound, RATE * air_s(0.5))
    back = 0.4 * delayed(sound, RATE * (air_s(1.5) + 0.042 + air_s(0.5)))
    path = write(tmp_path / "a.wav", noise(rng, direct + back, 30, sound))
    read = stopwatch(analyse(path, stopwatch="air", air_m=1.5))
    assert read.median().value == pytest.approx(42.0, abs=0.1)


def test_two_channels_tell_the_distance():
    """One microphone is at A's loudspeaker, the other at B's microphone, 3 m away."""
    late = air_s(3.0)
    record = room(
        *returned(late + 0.05),
        arrival(3, beats(90, late), channel=2),
        arrival(4, beats(90, late + 0.05 + late), channel=2, order=2),
    )
    read = stopwatch(record)
    assert read.air.low_ms <= 1e3 * late <= read.air.high_ms
    assert read.median().value == pytest.approx(50.0)
    assert "two channels" in read.facts()["way through air"]


def test_without_a_distance_the_room_may_be_ten_metres():
    read = stopwatch(room(*returned(air_s(6.0) + 0.05)))
    assert read.median().low <= 50.0 <= read.median().high
    assert read.median().high - read.median().low > 25
    short = stopwatch(room(*returned(0.010)))
    assert short.median().low >= 0, "air takes no longer than the whole"


def test_there_and_back_bounds_each_direction():
    read = stopwatch(room(*returned(0.090 + 2 * air_s(0.3)), way="network", air_m=0.6))
    facts = read.facts()
    assert read.median().value == pytest.approx(90.0, abs=0.01)
    assert facts["either direction alone"].startswith("0.0–90.")
    assert "there and back, median" in facts


def test_only_the_stopwatch_is_judged_and_air_is_part_of_the_doubt():
    arrivals = returned(air_s(1.0) + 0.0495)
    (verdict,) = recording_verdicts(room(*arrivals, air_m=1.0, target_ms=50))
    assert verdict.name == "stopwatch test, one way, B to A, 95th percentile"
    assert verdict.verdict is Outcome.PASS
    assert recording_verdicts(room(*arrivals, target_ms=50))[0].verdict is Outcome.INCONCLUSIVE
    assert recording_verdicts(room(*arrivals, target_ms=20))[0].verdict is Outcome.FAIL


def test_no_return_is_told():
    record = room(arrival(1, beats(90)), target_ms=50)
    assert stopwatch(record) is None
    assert "echo cancellation" in stopwatch_notes(record)[0]
    assert recording_verdicts(record)[0].verdict is Outcome.NOT_RUN


def test_a_distance_that_cannot_be_is_told_and_not_judged():
    record = room(*returned(0.020), air_m=20, target_ms=50)
    (note,) = stopwatch_notes(record)
    assert "measure the distance again" in note
    (verdict,) = recording_verdicts(record)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert "measure the distance again" in verdict.reason
    assert "not known" in stopwatch(record).facts()["one way, B to A"]


def test_a_return_that_ends_is_dropped_from_there_on():
    record = room(*returned(0.020, 120), air_m=1, target_ms=50)
    kept = record.clicks[(record.clicks["arrival"] == 1) | (record.clicks["click"] < 60)]
    ended = replace(record, clicks=kept)
    assert np.isinf(stopwatch(ended).p95().value)
    assert recording_verdicts(ended)[0].verdict is Outcome.FAIL


def test_a_player_that_begins_again_is_told():
    again = (
        arrival(3, 60 + beats(70), order=3, first=5),
        arrival(4, 60 + beats(70, 0.05), order=4, first=5),
    )
    record = room(*returned(0.05), *again, air_m=1)
    (note,) = stopwatch_notes(record)
    assert "read from channel 1 and channel 1, arrival 2 alone" in note


def test_further_arrivals_are_told():
    third = arrival(3, beats(90, 0.1), order=3)
    (note,) = stopwatch_notes(room(*returned(0.050), third, air_m=1))
    assert "1 more arrival is" in note


def test_a_record_of_no_stopwatch_test_has_none():
    assert stopwatch(recording_record(*returned(0.05))) is None
    assert stopwatch_notes(recording_record(*returned(0.05))) == []


@pytest.mark.parametrize(
    ("way", "air_m", "said"),
    [
        ("water", None, "stopwatch is 'water': choose air or network"),
        ("air", -1, "choose 0 to 100 metres"),
        ("air", float("nan"), "choose 0 to 100 metres"),
        (None, 1.5, "there is no stopwatch test"),
    ],
)
def test_what_cannot_be_is_refused(way, air_m, said):
    with pytest.raises(PlanError, match=said):
        StopwatchPlan.of(way, air_m)


@pytest.mark.parametrize("wrong", [{"stopwatch": "water"}, {"stopwatch": "air", "air_m": "far"}])
def test_a_record_with_an_impossible_test_is_refused(wrong):
    record = recording_record()
    record.provenance["parameters"] |= wrong
    assert "stopwatch test" in record.mismatch()
