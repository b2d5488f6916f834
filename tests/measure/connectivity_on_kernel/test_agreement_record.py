from dataclasses import replace

import pandas as pd
import pytest

from jamlab.measure.connectivity_on_kernel.agreement_record import (
    AgreementRecord,
    agreement_verdict,
)
from jamlab.measure.record import RecordError
from jamlab.measure.verdict import Outcome

from .agreements import agreement, changed


@pytest.fixture(scope="module")
def record():
    return agreement()


def test_a_record_survives_the_disk(record, tmp_path):
    again = AgreementRecord.load(record.save(tmp_path / "agreement"))
    for name in ("kernel", "simulator", "server_logs", "table"):
        pd.testing.assert_frame_equal(
            getattr(again, name), getattr(record, name).reset_index(drop=True), check_dtype=False
        )
    assert again.provenance == record.provenance


def test_nothing_in_it_is_a_verdict(record, tmp_path):
    record.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "kernel.parquet",
        "simulator.parquet",
        "server_logs.parquet",
        "provenance.json",
    }
    assert "agrees" not in pd.read_parquet(tmp_path / "kernel.parquet")


@pytest.mark.parametrize(
    "name", ["kernel.parquet", "simulator.parquet", "server_logs.parquet", "provenance.json"]
)
class TestFiles:
    def test_that_is_missing_is_named(self, record, tmp_path, name):
        record.save(tmp_path)
        (tmp_path / name).unlink()
        with pytest.raises(RecordError, match=f"{name} is missing"):
            AgreementRecord.load(tmp_path)

    def test_that_is_broken_is_named(self, record, tmp_path, name):
        record.save(tmp_path)
        (tmp_path / name).write_bytes(b"{nonsense")
        with pytest.raises(RecordError, match=f"{name} cannot be read"):
            AgreementRecord.load(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda r: r.kernel.drop(columns="result"), "kernel.parquet lacks"),
        (lambda r: r.kernel.iloc[1:], "other attempts in kernel.parquet"),
        (lambda r: r.kernel.assign(caller="open"), "other attempts"),
    ],
)
def test_what_does_not_belong_together_is_refused(record, tmp_path, spoil, words):
    record.save(tmp_path)
    spoil(record).to_parquet(tmp_path / "kernel.parquet")
    with pytest.raises(RecordError, match=words):
        AgreementRecord.load(tmp_path)


def test_an_agreement_of_nothing_is_refused(record, tmp_path):
    """Of no cells none disagree, which was a PASS."""
    none = record.kernel.iloc[:0]
    replace(record, kernel=none, simulator=none).save(tmp_path)
    with pytest.raises(RecordError, match=r"kernel\.parquet has no rows.*: measure again"):
        AgreementRecord.load(tmp_path)


def test_other_configurations_are_refused(record, tmp_path):
    record.save(tmp_path)
    for name in ("kernel", "simulator"):
        attempts = getattr(record, name).replace({"configuration": {"STUN": "mine"}})
        attempts.to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(RecordError, match="are not part of the agreement"):
        AgreementRecord.load(tmp_path)


def test_logs_of_another_shape_are_refused(record, tmp_path):
    record.save(tmp_path)
    record.server_logs.drop(columns="log").to_parquet(tmp_path / "server_logs.parquet")
    with pytest.raises(RecordError, match=r"server_logs\.parquet lacks the columns \['log'\]"):
        AgreementRecord.load(tmp_path)


def test_a_provenance_that_is_none_is_refused(record, tmp_path):
    record.save(tmp_path)
    (tmp_path / "provenance.json").write_text("[]")
    with pytest.raises(RecordError, match=r"provenance\.json is not a JSON object"):
        AgreementRecord.load(tmp_path)


class TestVerdict:
    def test_all_agree(self, record):
        verdict = agreement_verdict(record)
        assert (verdict.verdict, verdict.value) == (Outcome.PASS, 0)
        assert "each of 50 cells" in verdict.reason

    def test_one_does_not(self, record):
        kernel = changed(record.kernel, "relay only", "failed")
        other = AgreementRecord(kernel, record.simulator, record.server_logs, record.provenance)
        verdict = agreement_verdict(other)
        assert (verdict.verdict, verdict.value) == (Outcome.FAIL, 1)
        assert (
            "1 of 50 cells disagree, the first: open with open under relay only" in verdict.reason
        )
