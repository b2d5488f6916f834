"""Tests of jamlab.measure.browser_acceptance.sound on figures and sound that are made up."""

import numpy as np
import pandas as pd
import pytest

from jamlab.measure.acceptance import browser_tests as named
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.sines import tone
from jamlab.measure.browser_acceptance.musicians import LEVEL_DBFS
from jamlab.measure.browser_acceptance.sound import (
    TONES_HZ,
    draw_tones,
    loopback,
    note_share,
    there_and_back,
)
from tests.measure.browser.records import browser_record


def test_a_click_there_and_the_nearest_back_add_up():
    rows = [
        (0, "a", "b", 1.0, 30.0),
        (0, "a", "b", 2.0, 31.0),
        (0, "b", "a", 1.1, 40.0),
        (0, "b", "a", 2.1, np.nan),
        (1, "a", "b", 1.0, 32.0),
        (1, "b", "a", 1.1, 50.0),
    ]
    columns = ["session", "sender", "receiver", "emitted_s", "latency_ms"]
    both = there_and_back(pd.DataFrame(rows, columns=columns), "a", "b")
    sums = {(row.session, row.emitted_s): row.latency_ms for row in both.itertuples()}
    assert sums[0, 1.0] == 70.0
    assert np.isnan(sums[0, 2.0])
    assert sums[1, 1.0] == 82.0


def test_the_loopback_is_the_sum_of_both_ways():
    record = browser_record(lambda a, *_: 30.0 if a == "player 1" else 45.0)
    figures = {
        (figure, subject): value for _, figure, subject, value, *_ in loopback(record).figures
    }
    assert figures[named.ROUND_TRIP, "player 1 → player 2 → player 1"] == pytest.approx(75.0)
    assert figures[named.ROUND_TRIP, "player 2 → player 1 → player 2"] == pytest.approx(75.0)


def mix(*names):
    heard = sum(tone((TONES_HZ[name],) * 2, LEVEL_DBFS)(0, 96_000) for name in names)
    return heard.astype(np.float32)


@pytest.mark.parametrize(
    ("heard", "share"),
    [
        (("player 2", "player 3"), 100.0),
        (("player 2",), 0.0),
        (("player 1", "player 2", "player 3"), 0.0),
    ],
)
def test_exactly_the_others_have_to_be_heard(heard, share):
    finding = Finding(named.THREE_BROWSERS)
    note_share(finding, named.HEARD_OTHERS, "player 1", mix(*heard), {"player 2", "player 3"})
    assert finding.figures[0][3] == share


def test_the_curves_are_the_levels_of_everybodys_tone():
    finding = Finding(named.THREE_BROWSERS)
    draw_tones(finding, "player 1", mix("player 2"))
    levels = {}
    for _, panel, series, _, level_dbfs in finding.curves:
        assert panel == "player 1"
        levels.setdefault(series, []).append(level_dbfs)
    assert np.median(levels["player 2"]) == pytest.approx(LEVEL_DBFS, abs=0.1)
    assert np.median(levels["player 1"]) < -80
