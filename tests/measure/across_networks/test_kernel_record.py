"""Latencies of participants that share a clock, compared with chosen ones."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.across_networks.kernel_record import (
    KernelRecord,
    bounds_table,
    case_name,
    is_kernel_run,
    load_kernel,
    load_runs,
)
from jamlab.measure.across_networks.simulated import across_verdicts
from jamlab.measure.latency.routes import DIRECT, RELAYED
from jamlab.measure.latency.run import ONE_WAY
from jamlab.measure.latency.verdicts import paths_table
from jamlab.measure.record import RecordError
from jamlab.measure.verdict import Outcome
from tests.examples import examples
from tests.measure.latency.records import record_of
from tests.measure.live_mesh.reports import FLOOR_MS

from .kernel_records import PLAYERS, kernel_record


def different(a, b):
    return 25.0 if a < b else 40.0


ROUNDING_MS = 0.5e-4 + 1e-6
"""Half a step of the times in a report, which have seven decimals of a second."""


class TestLatency:
    @examples(20)
    @given(st.floats(8, 500), st.floats(8, 500))
    def test_is_the_time_from_emitted_to_heard(self, there_ms, back_ms):
        record = kernel_record(lambda a, b: there_ms if a < b else back_ms, 0.0, clicks=8)
        for (sender, _), clicks in record.clicks.groupby(["sender", "receiver"]):
            expected = there_ms if sender == PLAYERS[0] else back_ms
            assert clicks["latency_ms"].to_numpy() == pytest.approx(expected, abs=ROUNDING_MS)

    def test_counts_from_the_first_click(self):
        clicks = kernel_record().clicks
        assert clicks["emitted_s"].min() == 0
        assert set(clicks["measurement"]) == {ONE_WAY}
        assert clicks["network_ms"].isna().all()

    def test_has_the_dropouts_of_the_reports(self):
        paths = paths_table(kernel_record())
        assert paths["concealed_share"].to_list() == pytest.approx([0.01, 0.01])
        assert paths["underrun_share"].to_list() == pytest.approx([0.01, 0.01])

    def test_has_the_lag_of_whose_loop_was_latest(self):
        assert kernel_record().provenance["loop_lag"] == {"p99_ms": 1.5}


class TestVerdict:
    @pytest.mark.parametrize(
        ("latency_ms", "outcome"), [(30, Outcome.PASS), (99, Outcome.PASS), (101, Outcome.FAIL)]
    )
    def test_is_of_the_target_across_networks(self, latency_ms, outcome):
        record = kernel_record(lambda a, b: latency_ms if a < b else 20.0)
        verdict, concealed = across_verdicts({record.name: record})
        assert verdict.verdict is outcome
        assert verdict.reason.endswith(
            "There was one session, and the interval holds for that session alone."
        )
        assert concealed.value == pytest.approx(1.0)
        assert concealed.verdict is Outcome.INCONCLUSIVE  # 1 %, as much as the cards were late
        assert verdict.target == "< 100"
        assert verdict.value == pytest.approx(latency_ms)
        assert verdict.name.startswith("one-way latency over same country, direct, ")

    def test_of_packets_that_went_another_way_is_inconclusive(self):
        record = kernel_record(route=RELAYED)
        verdict, _ = across_verdicts({record.name: record})
        assert verdict.verdict is Outcome.INCONCLUSIVE
        assert "were direct instead of relayed" in verdict.reason

    def test_of_those_that_went_as_asked_counts(self):
        record = kernel_record(route=RELAYED, went="relay")
        verdict, _ = across_verdicts({record.name: record})
        assert verdict.verdict is Outcome.PASS


class TestBounds:
    def test_are_those_two_unknown_clocks_leave(self):
        """Packets take 16 ms, so an offset is known to 16 ms either way, and so is one way."""
        record = kernel_record(different, 16.0)
        for row in bounds_table(record).itertuples():
            truth = different(row.sender, row.receiver)
            assert row.median_ms == pytest.approx(truth, abs=1e-6)
            assert row.packet_ms == pytest.approx(16.0, abs=1e-6)
            assert row.least_ms == pytest.approx(FLOOR_MS + 16.0)
            assert row.one_way_min_ms <= truth <= row.one_way_max_ms
            low, high = max(FLOOR_MS, truth - 16), min(65.0 - FLOOR_MS, truth + 16)
            assert (row.one_way_min_ms, row.one_way_max_ms) == pytest.approx((low, high), abs=0.1)

    def test_of_what_nobody_heard_are_unknown(self):
        record = kernel_record()
        record.mesh.clicks["heard_s"] = np.nan
        assert bounds_table(record)["median_ms"].isna().all()


class TestFolder:
    def test_gives_back_what_was_saved_in_the_order_of_the_run(self, tmp_path):
        names = ["transatlantic", None, "4G"]
        for place, network in enumerate(names):
            kernel_record(number=place, network=network).save(tmp_path / f"{place:02d}")
        found = load_kernel(tmp_path)
        assert list(found) == [case_name(name, DIRECT) for name in names]
        assert list(found)[1] == "no distance, direct"
        first = kernel_record(network="transatlantic")
        for table in ("clicks", "streams"):
            again = getattr(found["transatlantic, direct"], table)
            pd.testing.assert_frame_equal(again, getattr(first, table), check_dtype=False)

    def test_is_told_from_one_of_the_simulated_internet(self, tmp_path):
        kernel_record().save(tmp_path / "kernel" / "00")
        simulated = record_of(lambda *_: [10.0] * 100, lambda *_: [20.0] * 100)
        simulated.save(tmp_path / "simulated" / "LAN")
        assert is_kernel_run(tmp_path / "kernel")
        assert not is_kernel_run(tmp_path / "simulated")
        (kernel,) = load_runs(tmp_path / "kernel").values()
        assert isinstance(kernel, KernelRecord)
        assert list(load_runs(tmp_path / "simulated")) == ["LAN"]

    def test_without_a_run_is_one_sentence(self, tmp_path):
        with pytest.raises(RecordError, match="holds no run on the kernel's network"):
            load_kernel(tmp_path)
        with pytest.raises(RecordError, match="holds no run across networks"):
            load_runs(tmp_path)

    def test_with_half_a_record_names_the_file(self, tmp_path):
        folder = kernel_record().save(tmp_path / "00")
        (folder / "clicks.parquet").unlink()
        with pytest.raises(RecordError, match=r"clicks\.parquet is missing"):
            load_kernel(tmp_path)
