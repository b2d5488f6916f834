"""Tests of jamlab.measure.ensemble.latencies."""

import math

import numpy as np
import pytest

from jamlab.measure.ensemble.latencies import latencies_of
from jamlab.measure.latency.verdicts import paths_table
from jamlab.measure.live_mesh.pairs import pairs_table
from tests.measure.latency.records import record_of
from tests.measure.live_mesh.reports import even_mesh


def test_those_of_a_latency_record_are_its_medians_intervals():
    record = record_of(lambda a, b: [10.0 + n % 5 for n in range(60)], lambda a, b: [24.0] * 20)
    latencies = latencies_of(record)
    path = paths_table(record).iloc[0]
    assert latencies.names == ("player 1", "player 2")
    assert latencies.low_ms[0, 1] == path["median_ms_low"] < 12
    assert latencies.high_ms[0, 1] == path["median_ms_high"] > 12
    assert not latencies.low_ms.diagonal().any()
    assert not latencies.high_ms.diagonal().any()


def test_those_of_a_live_mesh_are_its_bounds():
    record = even_mesh(("ada", "ben", "cleo")).record()
    latencies, pairs = latencies_of(record), pairs_table(record).set_index(["sender", "receiver"])
    assert latencies.names == ("ada", "ben", "cleo")
    assert latencies.high_ms[2, 0] == pairs.loc[("cleo", "ada"), "one_way_max_ms"]
    assert latencies.low_ms[2, 0] == pairs.loc[("cleo", "ada"), "one_way_min_ms"]


@pytest.mark.parametrize("latencies_ms", [[12.0] * 3 + [13.0], [math.nan] * 40])
def test_too_few_clicks_are_no_knowledge(latencies_ms):
    one_way = {("player 1", "player 2"): latencies_ms, ("player 2", "player 1"): [9.0] * 40}
    latencies = latencies_of(record_of(lambda *path: one_way[path], lambda a, b: [24.0] * 20))
    assert latencies.high_ms[0, 1] == math.inf
    assert (latencies.low_ms[1, 0], latencies.high_ms[1, 0]) == (9, 9)


def test_the_later_direction_counts_for_a_pair():
    latencies = latencies_of(
        record_of(lambda a, b: [12.0 if a < b else 15.0] * 40, lambda a, b: [24.0] * 20)
    )
    assert latencies.worse_ms(0, 1) == latencies.worse_ms(1, 0) == (15, 15)
    assert np.isfinite(latencies.high_ms).all()
