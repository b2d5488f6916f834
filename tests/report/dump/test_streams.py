import numpy as np
import pandas as pd
import pytest

from jamlab.measure.dump.dump import read_dump
from jamlab.report.dump.streams import connection_numbers, numbered_streams, parted
from tests.measure.dump.calls import events, internals, samples, write


def test_connections_and_streams_have_numbers(tmp_path):
    dump = read_dump(write(tmp_path / "call", internals(samples([30.0]), events())))
    assert connection_numbers(dump) == {"25-3": 1}
    keys = {number: key[1:] for number, key, _ in numbered_streams(dump)}
    assert keys == {1: ("inbound", "IT01A1"), 2: ("outbound", "OT01A2")}


def test_a_gap_parts_a_line():
    time_s, value = pd.Series([0.0, 1.0, 2.0, 30.0]), pd.Series([5.0, 6.0, 7.0, 8.0])
    times, values = parted(time_s, value)
    np.testing.assert_allclose(times, [0, 1, 2, 16, 30])
    np.testing.assert_array_equal(values, [5, 6, 7, np.nan, 8])


@pytest.mark.parametrize("count", [0, 1])
def test_a_line_of_a_point_has_no_gap(count):
    times, values = parted(*[pd.Series([1.0] * count, dtype=float)] * 2)
    assert len(times) == len(values) == count
