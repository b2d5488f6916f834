"""Logs of windows: a CSV that is read while it grows, Parquet, and places that take none."""

import errno
import io
import math
import os
from pathlib import Path

import pandas as pd
import pytest

from jamlab.measure.latency.plan import PlanError
from jamlab.measure.recording.log import window_log
from jamlab.measure.recording.windows import COLUMNS, Window

ROW = {
    **dict.fromkeys(COLUMNS, 1.25),
    **{"from": "channel 1", "to": "channel 2, arrival 2", "skew_ppm": math.nan},
    **{"voice": 0, "sent": 20, "heard": 19, "dropped": 1},
}


def window(begin_s, rows=1):
    delays = pd.DataFrame([ROW | {"begin_s": begin_s}] * rows, columns=[*COLUMNS]).astype(COLUMNS)
    return Window(begin_s, begin_s + 10, delays)


def test_a_csv_has_whole_rows_at_any_time(tmp_path):
    path = tmp_path / "latency.csv"
    with window_log(path) as log:
        assert list(pd.read_csv(path).columns) == [*COLUMNS]
        for number in range(3):
            log.write(window(10.0 * number, rows=2))
            table = pd.read_csv(path)
            assert table["begin_s"].tolist() == [10.0 * (row // 2) for row in range(2 * number + 2)]
        log.write(window(30.0, rows=0))
    assert len(pd.read_csv(path)) == 6
    assert (
        path.read_text()
        .splitlines()[1]
        .endswith('"channel 2, arrival 2",0,20,19,1,1.25,1.25,1.25,1.25,,1.25')
    )


def test_parquet_is_written_whole_even_when_the_run_fails(tmp_path):
    path = tmp_path / "latency.PARQUET"

    def interrupted():
        with window_log(path) as log:
            log.write(window(0.0))
            log.write(window(10.0, rows=0))
            assert not path.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    table = pd.read_parquet(path)
    assert table["begin_s"].tolist() == [0.0]
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_without_windows_there_are_columns(tmp_path):
    for suffix, read in ((".csv", pd.read_csv), (".parquet", pd.read_parquet)):
        with window_log(tmp_path / f"log{suffix}"):
            pass
        assert list(read(tmp_path / f"log{suffix}").columns) == [*COLUMNS]


def refusal(path):
    with pytest.raises(PlanError) as raised, window_log(Path(path)):
        pass
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_place_that_takes_no_log_is_refused_in_a_sentence(tmp_path):
    assert "ends in .csv or .parquet" in refusal(tmp_path / "log.txt")
    assert "there is no folder" in refusal(tmp_path / "gone" / "log.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "night.csv").write_text("of an earlier run")
    assert "is there already" in refusal(tmp_path / "night.csv")
    assert (tmp_path / "night.csv").read_text() == "of an earlier run"
    assert "it is a folder" in refusal(tmp_path / "folder.csv")
    assert "cannot be written" in refusal(tmp_path / ("x" * 300 + ".csv"))
    assert "cannot be written" in refusal(tmp_path / "a\0b.csv")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_place_without_rights_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    assert "may not write" in refusal(tmp_path / "log.csv")


def test_a_disk_that_becomes_full_is_told(tmp_path):
    with window_log(tmp_path / "log.csv") as log:
        log.write(window(0.0))
        log._file.close()
        log._file = Full()
        log.write(window(10.0))
        log.write(window(20.0))
    assert "No space left" in log.fault
    assert "ends before 10 s" in log.fault
    assert len(pd.read_csv(tmp_path / "log.csv")) == 1


class Full(io.BytesIO):
    """A file on a disk that has become full."""

    def write(self, _):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
