import numpy as np
import pytest

from jamlab.measure.dump.audio import audio_table
from jamlab.measure.dump.layouts.internals import read_internals
from jamlab.measure.dump.stages import stage_summary, stage_table
from tests.measure.dump.calls import events, internals, samples

DELAYS_MS = [30.0, 50.0, 70.0, 90.0, 110.0]


def stages(packet="a=ptime:20\r\n", **truth):
    trace = read_internals(internals(samples(DELAYS_MS, **truth), events(packet=packet)))
    return stage_table(audio_table(trace, 0.0))


def test_a_second_has_its_stages():
    table = stages(playout_ms=40.0, round_trip_ms=60.0)
    np.testing.assert_allclose(table["jitter_buffer_ms"], DELAYS_MS)
    np.testing.assert_allclose(table["receive_ms"], np.array(DELAYS_MS) + 40.0)
    for column, truth in {
        "frame_ms": 20.0,
        "network_low_ms": 0.0,
        "network_high_ms": 60.0,
        "playout_ms": 40.0,
    }.items():
        np.testing.assert_allclose(table[column], truth, err_msg=column)


def test_the_summary_names_what_is_not_in_a_dump():
    rows = stage_summary(stages(playout_ms=40.0)).set_index("stage")
    assert rows.loc["jitter buffer", "median_ms"] == pytest.approx(70.0)
    assert rows.loc["receive side", "median_ms"] == pytest.approx(110.0)
    assert rows.loc["receive side", "p95_ms"] == pytest.approx(np.quantile(DELAYS_MS, 0.95) + 40)
    assert np.isnan(rows.loc["capture and encoding", "median_ms"])
    assert "not in a dump" in rows.loc["capture and encoding", "note"]
    assert "round trip" in rows.loc["network", "note"]


def test_an_unknown_frame_is_unknown():
    rows = stage_summary(stages(packet="")).set_index("stage")
    assert rows.loc["frame", "seconds"] == 0
    assert np.isnan(rows.loc["frame", "median_ms"])


def test_without_streams_the_summary_has_its_columns():
    assert list(stage_summary(stages().iloc[:0]).columns)[:3] == ["connection", "stream", "stage"]
