"""Windows of trains whose readings are chosen, and of a recording, against numpy's own figures."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.latency.plan import PlanError
from jamlab.measure.recording.analysis import analyse
from jamlab.measure.recording.listening.search import Chain
from jamlab.measure.recording.listening.train import Reading, Train
from jamlab.measure.recording.windows import COLUMNS, Windows, window_table
from tests.examples import examples
from tests.measure.recording.records import BEAT_S, arrival, beats, recording_record
from tests.measure.recording.takes import RATE, delayed, stretched, track, write

FIRST = 687  # the number of the first click
LENGTH_S = 120.0
CLICKS = 237


def times(count=CLICKS):
    return 0.25 + BEAT_S * np.arange(count)


def train(at_s, level_dbfs=-12.0, voice=0):
    """Return a train that has read clicks at these seconds; NaN for one that it missed."""
    made = Train(voice, Chain([], BEAT_S * RATE, at_s[0] * RATE), FIRST)
    made.readings += [
        Reading(FIRST + number, at * RATE, 0.9, level_dbfs)
        for number, at in enumerate(at_s)
        if np.isfinite(at)
    ]
    return made


def told(*channels, every_s=10.0, length_s=LENGTH_S):
    windows = Windows([[each] if isinstance(each, Train) else each for each in channels], every_s)
    return pd.concat([each.delays for each in windows.rest(length_s)], ignore_index=True)


def test_figures_are_those_of_numpy():
    rng, sent = np.random.default_rng(1), times()
    late = 0.030 + rng.gamma(2.0, 0.001, CLICKS) + 0.005 * (sent > 60)
    dropped = rng.random(CLICKS) < 0.1
    dropped[[0, -1]] = False
    table = told(train(sent), train(np.where(dropped, np.nan, sent + late), level_dbfs=-20.0))
    assert table["begin_s"].tolist() == [*range(0, 120, 10)]
    assert set(table["from"]) == {"channel 1"}
    assert set(table["to"]) == {"channel 2"}
    assert table["level_db"].to_numpy() == pytest.approx(-8.0)
    for row in table.to_dict("records"):
        inside = (sent >= row["begin_s"]) & (sent < row["begin_s"] + 10)
        heard_ms = 1000 * late[inside & ~dropped]
        assert (row["sent"], row["heard"]) == (inside.sum(), len(heard_ms))
        assert row["dropped"] == (inside & dropped).sum()
        found = [row[name] for name in ("p5_ms", "median_ms", "p95_ms")]
        assert found == pytest.approx(np.percentile(heard_ms, [5, 50, 95]))
        assert row["jitter_ms"] == pytest.approx(np.percentile(heard_ms, 95) - heard_ms.min())


@pytest.mark.parametrize("ppm", [-200, 50])
def test_skew_is_of_the_last_minute(ppm):
    rng, sent = np.random.default_rng(1), times()
    late = 0.03 + 1e-6 * ppm * np.maximum(sent - 50, 0) + rng.normal(0, 1e-5, CLICKS)
    skew = told(train(sent), train(sent + late))["skew_ppm"]
    assert skew[:5].to_numpy() == pytest.approx(0, abs=5)
    assert skew[10:].to_numpy() == pytest.approx(ppm, abs=2)


def test_skew_is_unknown_with_few_clicks_much_jitter_or_a_jump():
    rng, sent = np.random.default_rng(1), times()
    assert told(train(sent[:9]), train(sent[:9] + 0.03))["skew_ppm"].isna().all()
    shaken = train(sent + 0.03 + rng.uniform(0, 0.05, CLICKS))
    assert told(train(sent), shaken)["skew_ppm"].isna().all()
    skew = told(train(sent), train(sent + 0.03 + 0.01 * (sent > 60)))["skew_ppm"]
    assert math.isnan(skew[8])  # half of its minute is before the jump
    assert skew[[5, 11]].to_numpy() == pytest.approx(0, abs=0.1)


def test_what_was_not_there_yet_or_has_no_time_to_come_is_not_dropped():
    sent = times()
    late = sent + 0.3
    late[:30] = np.nan
    late[late > LENGTH_S] = np.nan
    table = told(train(sent), train(late))
    assert table["dropped"].sum() == 0
    assert table["sent"].sum() == np.isfinite(late).sum()


def test_a_return_that_ends_is_dropped_until_another_takes_its_place():
    sent = times()
    ended = train(np.where(sent < 50, sent + 0.03, np.nan))
    table = told(train(sent), ended)
    assert (
        table["dropped"].tolist()
        == [0] * 5 + np.diff(np.searchsorted(sent, range(50, 121, 10))).tolist()
    )
    assert table["median_ms"].isna().tolist() == [False] * 5 + [True] * 7
    other = train(np.where(sent > 60, sent + 1.5, np.nan))
    both = told([train(sent)], [ended, other])
    assert both["dropped"].sum() == 0
    assert both.groupby("to")["heard"].sum().to_dict() == {
        "channel 2": (sent < 50).sum(),
        "channel 2, arrival 2": (sent > 60).sum(),
    }


def test_a_delay_goes_from_the_earlier_to_the_later_and_within_one_voice():
    sent = times()
    table = told(train(sent + 0.02), train(sent), [train(sent, voice=3)])
    assert {*zip(table["from"], table["to"], strict=True)} == {("channel 2", "channel 1")}
    assert table["median_ms"].to_numpy() == pytest.approx(20)
    assert told(train(sent), train(sent + 5.5)).empty


def test_nothing_is_a_table_without_rows():
    windows = [*Windows([[], []], 10.0).rest(25.0)]
    assert [(each.begin_s, each.end_s) for each in windows] == [(0, 10), (10, 20), (20, 25)]
    assert all(list(each.delays.columns) == [*COLUMNS] for each in windows)


@pytest.mark.slow
@examples(15)
@given(
    every_s=st.floats(1, 40),
    late_s=st.floats(0, 4.9),
    dropped=st.sets(st.integers(1, CLICKS - 10)),
    lost=st.booleans(),
)
def test_rows_that_were_given_never_change(every_s, late_s, dropped, lost):
    """Read block by block, as a listener does, the rows are those of the whole."""
    sent, back = times(), times() + late_s
    back[[*dropped]] = np.nan
    whole = train(sent), train(back)
    growing = train(sent), train(back)
    for each in growing:
        each.readings.clear()
    growing[1].lost = lost
    windows, given_, last_s = Windows([[growing[0]], [growing[1]]], every_s), [], 0.0
    for heard_s in (*np.arange(10, LENGTH_S, 10), LENGTH_S):
        for each, all_of_it in zip(growing, whole, strict=True):
            # what was lost is read a block later, from the block before on
            until_s = last_s if each.lost else heard_s
            known = len(each.readings)
            each.readings += [it for it in all_of_it.readings[known:] if it.at < until_s * RATE]
        if heard_s == LENGTH_S:
            for each, all_of_it in zip(growing, whole, strict=True):
                each.readings[:] = all_of_it.readings
            given_ += windows.rest(heard_s)
        else:
            given_ += windows.complete(heard_s)
        last_s = heard_s
    found = pd.concat([each.delays for each in given_], ignore_index=True)
    pd.testing.assert_frame_equal(found, told(*whole, every_s=every_s))


@pytest.mark.parametrize("every_s", [0, -1, 0.5, math.nan, math.inf])
def test_a_length_that_none_has_is_refused(every_s):
    with pytest.raises(PlanError, match=r"every_s is .*: choose 1 s or more"):
        window_table(recording_record(), every_s)


def test_the_windows_of_a_record_are_those_of_its_trains():
    sent, late = beats(150), beats(150, 0.03) + 0.002 * (np.arange(150) % 3)
    late[50:60] = np.nan
    record = recording_record(arrival(1, sent), arrival(2, late, channel=2))
    table = window_table(record, 10)
    live = told(train(sent), train(late), length_s=80)
    shared = [name for name in table if name in COLUMNS and name != "to"]
    pd.testing.assert_frame_equal(table[shared], live[shared])
    assert table["dropped"].sum() == 10


@pytest.mark.slow
def test_a_step_a_gap_and_a_skew_are_found_in_a_recording(tmp_path):
    """50 ppm, clicks 60 to 74 dropped, and 5 ms more from the middle on."""
    late = stretched(delayed(track(160, dropped=range(60, 75)), 1_440), 50)
    later = stretched(delayed(track(160, dropped=range(60, 75)), 1_680), 50)
    middle = 40 * RATE
    late[middle:] = later[middle:]
    rows = []
    analyse(
        write(tmp_path / "take.wav", track(160), late),
        every_s=10,
        told=lambda window: rows.append(window.delays),
    )
    table = pd.concat(rows, ignore_index=True)
    sent_s = 0.25 + BEAT_S * np.arange(160)
    truth_ms = 1000 * ((sent_s + 0.030 + 0.005 * (sent_s + 0.03 >= 40)) * (1 + 50e-6) - sent_s)
    for row in table.to_dict("records"):
        inside = (sent_s >= row["begin_s"]) & (sent_s < row["begin_s"] + 10)
        gone = inside & (np.arange(160) >= 60) & (np.arange(160) < 75)
        assert (row["sent"], row["dropped"]) == (inside.sum(), gone.sum())
        found = [row[name] for name in ("p5_ms", "median_ms", "p95_ms")]
        assert found == pytest.approx(
            np.percentile(truth_ms[inside & ~gone], [5, 50, 95]), abs=0.02
        )
    known = table["skew_ppm"].dropna()
    assert known.to_numpy() == pytest.approx(50, abs=2)
    assert len(known) >= 4
