"""The comparison of encodings as a whole, with the codec and the playout buffer."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from jamlab.measure.sound_quality.plan import CABLE, SoundQualityPlan, Task
from jamlab.measure.sound_quality.record import SESSION_COLUMNS
from jamlab.measure.sound_quality.run import measure_session, measure_sound_quality

PLAN = SoundQualityPlan((CABLE,), duration_s=1.0, settle_s=1.0, sessions=1)


def test_a_session_has_rates_latency_and_scores():
    row = measure_session(PLAN, Task(CABLE, "low latency", 120, 0))
    assert set(row) == set(SESSION_COLUMNS)
    assert 6.3 < row["latency_ms"] < 10
    assert row["payload_bps"] == pytest.approx(128_000, rel=0.01)
    assert row["wire_bps"] - row["payload_bps"] == pytest.approx(58 * 8 * 400, rel=0.01)
    assert row["concealed_share"] == 0
    assert 8 < row["sinad_db"] < 30


@pytest.mark.slow
def test_more_bits_sound_better():
    low, high = (measure_session(PLAN, Task(CABLE, name, 480, 0)) for name in QUALITIES)
    assert high["sinad_db"] > low["sinad_db"] + 3
    assert not high["zimtohrli"] <= low["zimtohrli"]


QUALITIES = "low latency", "high quality"


@pytest.mark.slow
def test_a_record_has_a_row_per_session_and_the_seed_decides():
    with ThreadPoolExecutor(2) as executor:
        told = []
        record = measure_sound_quality(PLAN, executor, lambda *said: told.append(said))
    tasks = list(PLAN.tasks())
    assert len(record.sessions) == len(tasks) == len(told)
    assert told[-1] == (1.0, "encodings")
    for number in (0, -1):
        rows = [measure_session(PLAN, tasks[number])]
        again = pd.DataFrame(rows, columns=record.sessions.columns)
        row = record.sessions.iloc[[number]].reset_index(drop=True)
        pd.testing.assert_frame_equal(again, row, check_dtype=False, check_exact=True)
    assert np.isfinite(record.sessions["sinad_db"]).all()
    assert record.provenance["parameters"]["networks"] == [CABLE]
