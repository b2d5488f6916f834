"""Delays of chosen times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.recording.delays import LONGEST_S, alignments, delay_table, pairs
from tests.measure.recording.records import BEAT_S, arrival, beats, recording_record

ROUND_S = 229 * BEAT_S


def test_a_pair_goes_from_the_earlier_to_the_later():
    late = arrival(1, beats(30, 0.030)), arrival(2, beats(30), channel=2)
    (pair,) = pairs(recording_record(*late))
    assert (pair.source, pair.to) == (2, 1)
    assert pair.delays_ms == pytest.approx([30.0] * 30)


def test_a_drop_is_infinitely_late_and_what_never_began_is_none():
    times = beats(30, 0.05)
    times[:5] = times[12] = times[27:] = np.nan
    (pair,) = pairs(recording_record(arrival(1, beats(30)), arrival(2, times, channel=2)))
    assert pair.clicks["click"].tolist() == [*range(5, 30)]
    assert np.flatnonzero(np.isinf(pair.delays_ms)).tolist() == [7, 22, 23, 24]


def test_a_return_that_ends_is_dropped_until_another_takes_its_place():
    ended, later = beats(60, 0.05), beats(60, 0.08)
    ended[20:] = later[:40] = np.nan
    first, second = pairs(
        recording_record(
            arrival(1, beats(60)),
            arrival(2, ended, channel=2),
            arrival(3, later, channel=2, order=2),
        )
    )
    assert np.flatnonzero(np.isinf(first.delays_ms)).tolist() == [*range(20, 40)]
    assert second.clicks["click"].tolist() == [*range(40, 60)]


def test_of_two_files_what_is_missing_after_the_last_click_is_not_dropped():
    common = arrival(1, beats(40), voice=1), arrival(2, beats(40), file=2, voice=1)
    ended = beats(40, 0.05)
    ended[30:] = np.nan
    others = arrival(3, beats(40)), arrival(4, ended, file=2)
    (pair,) = pairs(recording_record(*common, *others, names=("a.wav", "b.wav")))
    assert pair.clicks["click"].tolist() == [*range(30)]


def test_a_player_that_begins_again_has_no_delay_to_the_first_time():
    """It begins 5 s before the numbers repeat, so that some clicks share a number."""
    again = arrival(2, beats(60, 4.8), order=2, first=0)
    first = beats(60)
    first[8:] = np.nan
    assert len(pairs(recording_record(arrival(1, first), again))) == 1, "all eight come back"
    few = arrival(2, 30 + beats(60), order=2, first=52)
    assert pairs(recording_record(arrival(1, beats(60)), few)) == []


def skew_of(late):
    (pair,) = pairs(
        recording_record(arrival(1, beats(200)), arrival(2, beats(200) + late, channel=2))
    )
    return pair.skew_ppm


@pytest.mark.parametrize("at", [20, 60, 100, 190])
def test_a_jump_is_no_skew(at):
    late = 0.03 + 20e-6 * BEAT_S * np.arange(200) + 0.015 * (np.arange(200) >= at)
    assert np.isnan(skew_of(late))


@pytest.mark.parametrize("ppm", [-400.0, 0.0, 20.0])
def test_missing_clicks_are_no_jump(ppm):
    late = 0.03 + 1e-6 * ppm * BEAT_S * np.arange(200)
    late[60:120] = np.nan
    assert skew_of(late) == pytest.approx(ppm)


def test_clicks_that_are_late_by_themselves_are_no_jump():
    late = 0.03 + 20e-6 * BEAT_S * np.arange(200)
    late[7::13] += 0.02
    assert skew_of(late) == pytest.approx(20.0)


def test_three_arrivals_are_three_pairs_and_other_voices_none():
    record = recording_record(
        *(arrival(n, beats(9, 0.02 * n), channel=n) for n in (1, 2, 3)),
        arrival(4, beats(9), channel=4, voice=1),
    )
    assert {(pair.source, pair.to) for pair in pairs(record)} == {(1, 2), (1, 3), (2, 3)}
    assert delay_table(record)["median_ms"].tolist() == pytest.approx([20, 40, 20])


def test_a_file_that_is_played_again_has_no_delay_from_the_first_time():
    again = arrival(2, beats(9, LONGEST_S + 0.1), order=2)
    assert pairs(recording_record(arrival(1, beats(9)), again)) == []
    late = arrival(2, beats(9, LONGEST_S - 0.1), order=2)
    assert len(pairs(recording_record(arrival(1, beats(9)), late))) == 1


def test_numbers_that_disagree_by_a_round_are_no_delay():
    wrong = arrival(2, beats(9) + ROUND_S, channel=2)
    assert pairs(recording_record(arrival(1, beats(9)), wrong)) == []


@pytest.mark.slow
@given(
    ppm=st.floats(-500, 500),
    offset_s=st.floats(-1000, 1000),
    late_s=st.floats(0.001, 2),
    rounds=st.integers(-2, 2),
)
def test_clocks_of_two_files_are_aligned(ppm, offset_s, late_s, rounds):
    """The second file began at any time, and its numbers by as many rounds apart."""

    def by_other_clock(times_s):
        return (times_s + rounds * ROUND_S) * (1 + ppm / 1e6) + offset_s

    record = recording_record(
        arrival(1, beats(60), voice=5),
        arrival(2, beats(60), voice=9),
        arrival(3, by_other_clock(beats(60)), file=2, voice=5),
        arrival(4, by_other_clock(beats(60, late_s)), file=2, voice=9),
        names=("a.wav", "b.wav"),
    )
    table = delay_table(record)
    assert table["median_ms"].tolist() == pytest.approx([1000 * late_s], abs=1e-3)
    assert alignments(record)[2].skew_ppm == pytest.approx(ppm, abs=0.01)


def test_files_without_a_common_voice_are_not_aligned():
    record = recording_record(
        arrival(1, beats(9)), arrival(2, beats(9), file=2, voice=1), names=("a", "b")
    )
    assert alignments(record) == {}
    assert delay_table(record).empty


def test_skew_is_the_growth_of_the_delay():
    late = beats(90) * (1 + 50e-6) + 0.03
    table = delay_table(recording_record(arrival(1, beats(90)), arrival(2, late, channel=2)))
    assert table["skew_ppm"].iloc[0] == pytest.approx(50, abs=0.01)
