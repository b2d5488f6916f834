"""Streams with something missing; whole ones are in test_dump.py."""

import numpy as np
import pytest

from jamlab.measure.dump.audio import COLUMNS, audio_table
from jamlab.measure.dump.layouts.trace import PeerTrace, Trace, in_order

TIMES = [10.0, 11.0, 12.0, 42.0]
STREAM = {
    "kind": ["audio"] * 4,
    "jitterBufferDelay": [0.0, 960.0, 960.0, 2880.0],
    "jitterBufferEmittedCount": [0, 48_000, 48_000, 96_000],
}


def table(inbound, **series):
    peer = PeerTrace("PC_0", series={"I": in_order("inbound-rtp", TIMES, inbound), **series})
    return audio_table(Trace("rtcstats", "", [peer], 0.001), 10.0)


def test_an_interval_without_sound_has_no_delay_and_a_long_one_has_its_mean():
    audio = table(STREAM)
    np.testing.assert_allclose(audio["jitter_buffer_ms"], [np.nan, 20, np.nan, 40])
    np.testing.assert_allclose(audio["interval_s"], [np.nan, 1, 1, 30])
    assert audio["playout_ms"].isna().all()


@pytest.mark.parametrize("named", [["P"] * 4, [None] * 4])
def test_the_only_playout_is_the_streams_own(named):
    counters = {"totalPlayoutDelay": [0, 48, 96, 144], "totalSamplesCount": [0, 480, 960, 1440]}
    playout = in_order("media-playout", TIMES, counters)
    audio = table({**STREAM, "playoutId": named}, P=playout)
    np.testing.assert_allclose(audio["playout_ms"], [np.nan, 100, 100, 100])


def test_video_is_left_out():
    assert table({**STREAM, "kind": ["video"] * 4}).empty


def test_statistics_that_name_something_else_are_not_followed():
    codec = in_order("codec", TIMES, {"roundTripTime": [1.0] * 4})
    audio = table({**STREAM, "remoteId": ["X"] * 4}, X=codec)
    assert audio["rtcp_round_trip_ms"].isna().all()


def test_without_streams_the_table_has_its_columns():
    audio = audio_table(Trace("rtcstats", "", [], 0.001), 0.0)
    assert list(audio.columns) == list(COLUMNS)
