from dataclasses import replace

import numpy as np
import pytest

from jamlab.measure.latency.run import ONE_WAY
from jamlab.measure.latency.verdicts import paths_table, sessions_table
from jamlab.report.latency.sessions import between_sessions
from jamlab.report.page.figures import TARGETS_MS
from tests.report.latency.records import drawn_record


def drawn(axes, label):
    return [line.get_xdata() for line in axes.get_lines() if line.get_label() == label]


@pytest.mark.parametrize("peers", [2, 3])
def test_every_session_of_every_path_is_drawn(peers):
    record = drawn_record(peers)
    table = sessions_table(record)
    for axes, measurement in zip(between_sessions(record).axes, TARGETS_MS, strict=True):
        here = table[table["measurement"] == measurement]
        for label, column in (("median", "median_ms"), ("95th percentile", "p95_ms")):
            found = np.concatenate(drawn(axes, f"session's {label}"))
            np.testing.assert_allclose(np.sort(found), np.sort(here[column]))
        assert len(axes.get_yticklabels()) == peers * (peers - 1)
        assert drawn(axes, "target")[0][0] == TARGETS_MS[measurement]


def test_the_band_is_the_interval_of_all_sessions():
    record = drawn_record()
    axes = between_sessions(record).axes[0]
    paths = paths_table(record).query("measurement == @ONE_WAY")
    for bar, path in zip(axes.patches, paths.itertuples(), strict=True):
        assert bar.get_x() == pytest.approx(path.p95_ms_low)
        assert bar.get_x() + bar.get_width() == pytest.approx(path.p95_ms_high)


@pytest.mark.parametrize("missed", [0.2, 1.0])
def test_what_is_infinite_ends_at_the_right(missed):
    for axes in between_sessions(drawn_record(missed=missed)).axes:
        right_ms = axes.get_xlim()[1]
        highs = np.concatenate(drawn(axes, "session's 95th percentile"))
        assert np.isfinite(highs).all()
        assert highs.max() == pytest.approx(right_ms)


def test_a_record_of_one_way_alone_has_one_panel():
    record = drawn_record()
    alone = replace(record, clicks=record.clicks[record.clicks["measurement"] == ONE_WAY])
    assert [axes.get_title(loc="left") for axes in between_sessions(alone).axes] == [ONE_WAY]
