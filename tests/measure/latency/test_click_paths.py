"""Click readings of a path with a recording made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.card import Recording, VirtualCard
from jamlab.audio.metronome import CLICK_FRAMES, Metronome
from jamlab.measure.latency.click_paths import Path, click_table, waveform_table
from jamlab.measure.latency.participants import Participant
from jamlab.measure.latency.record import CLICK_COLUMNS
from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from tests.examples import examples

RATE = 48_000
METRONOME = Metronome(480.0)


def participant(name, started_s, recording=None):
    card = VirtualCard()
    card.started_s = started_s
    return Participant(name, METRONOME, None, card, recording or Recording())


def path(delay_frames, *, apart_frames=0.0, start=10_000, clicks_s=1.0, level=1.0):
    """A listener whose card began `apart_frames` after the emitter's plays the track late."""
    recording = Recording()
    position = np.arange(4 * RATE) + apart_frames - delay_frames
    whole = np.floor(position).astype(int)
    assert np.allclose(position, whole), "the track has no sound between frames"
    track = METRONOME.block(int(whole[0]), len(whole))
    recording.write((level * track).astype(np.float32))
    emitter = participant("near", 100.0)
    listener = participant("far", 100.0 + apart_frames / RATE, recording)
    return Path(ONE_WAY, emitter, listener, listener, start, start + int(clicks_s * RATE), None)


def table_of(path):
    return click_table([(path, path.readings())])


def test_the_delay_is_read_in_milliseconds():
    table = table_of(path(480))
    assert list(table.columns) == list(CLICK_COLUMNS)
    assert table["latency_ms"].to_numpy() == pytest.approx(10.0, abs=0.001)
    assert (table["confidence"] > 0.99).all()
    assert table["network_ms"].isna().all()


@examples(15)
@given(st.integers(0, 20_000), st.integers(-5_000, 5_000))
def test_cards_that_start_apart_make_no_difference(delay, apart):
    table = table_of(path(delay, apart_frames=apart, clicks_s=0.5))
    assert table["latency_ms"].to_numpy() == pytest.approx(delay / 48, abs=0.001)


@pytest.mark.parametrize("fraction", [0.25, 0.5, 0.9])
def test_a_fraction_of_a_frame_between_the_cards_counts(fraction):
    """The recording is the same; the card that played it began a fraction of a frame later."""
    exact = path(480)
    exact.listener.card.started_s += fraction / RATE
    table = table_of(exact)
    assert table["latency_ms"].to_numpy() == pytest.approx((480 + fraction) / 48, abs=0.001)


def test_only_clicks_of_the_span_count():
    span = path(480, start=METRONOME.onset(3), clicks_s=1.0)
    assert list(table_of(span)["click"]) == list(range(3, 11))
    assert table_of(span)["emitted_s"].iloc[0] == 0.0


def test_silence_is_not_heard():
    table = table_of(path(480, level=0.0))
    assert table["latency_ms"].isna().all()
    assert len(table) == 8


def test_the_waveform_shows_the_click_where_it_was_read():
    shown = path(480)
    table = waveform_table([(shown, shown.readings())])
    best = table.loc[table["correlation"].idxmax()]
    assert best["time_ms"] == pytest.approx(10.0, abs=0.02)
    assert best["correlation"] == pytest.approx(1.0, abs=1e-3)
    assert np.ptp(table["time_ms"]) > 2 * CLICK_FRAMES / 48


def test_one_waveform_per_measurement():
    one_way = path(480)
    echoed = Path(ROUND_TRIP, one_way.emitter, one_way.listener, one_way.peer, 0, RATE, None)
    paths = (one_way, one_way, echoed)
    table = waveform_table([(each, each.readings()) for each in paths])
    assert list(table["measurement"].unique()) == [ONE_WAY, ROUND_TRIP]


def test_the_waveform_is_of_a_click_that_was_heard():
    shown = path(480)
    found = shown.readings()
    middle = len(found) // 2
    found[middle] = replace(found[middle], delay=np.nan)
    table = waveform_table([(shown, found)])
    assert table["click"].iloc[0] != shown.clicks[middle]
    assert table["correlation"].max() == pytest.approx(1.0, abs=1e-3)


def test_the_waveform_of_silence_shows_it():
    shown = path(480, level=0.0)
    table = waveform_table([(shown, shown.readings())])
    assert not table["played"].any()
    assert not table["correlation"].any()


def test_a_long_delay_is_within_the_excerpt():
    shown = path(20_000, clicks_s=0.5)
    table = waveform_table([(shown, shown.readings())])
    assert table["time_ms"].max() > 20_000 / 48 + CLICK_FRAMES / 48
