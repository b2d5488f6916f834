"""A card's record: what was measured comes back, and what was not is not there."""

import json

import numpy as np
import pytest

from jamlab.audio.portaudio import DeviceError
from jamlab.measure.record import RecordError
from jamlab.measure.sound_card.loopback import LoopbackPlan
from jamlab.measure.sound_card.mouth_to_ear import check_block
from jamlab.measure.sound_card.record import CardRecord

from .records import INPUT, OUTPUT, card_record, clicks_of

_TRIP = "round_trip_frames"


@pytest.fixture
def saved(tmp_path):
    return card_record({64: 300.25, 128: 420.0}, spread=0.1).save(tmp_path / "card")


class TestSaved:
    def test_comes_back_as_it_was(self, saved):
        record, again = card_record({64: 300.25, 128: 420.0}, spread=0.1), CardRecord.load(saved)
        assert again.loopback.equals(record.loopback)
        assert again.block_sizes == (64, 128)
        for block in again.block_sizes:
            assert again.round_trip_frames(block) == record.round_trip_frames(block)

    def test_says_how_it_came_about(self, saved):
        provenance = json.loads((saved / "provenance.json").read_text(encoding="utf-8"))
        assert provenance["devices"]["output"] == {"name": "speakers", "host": "ALSA"}
        assert provenance["parameters"]["block_frames"] == [64, 128]
        assert provenance["parameters"]["clicks"] == 40
        assert {"created", "machine", "versions"} <= set(provenance)
        assert CardRecord.load(saved).name == "speakers → microphone"

    def test_nothing_there_says_what_to_do(self, tmp_path):
        with pytest.raises(
            RecordError, match=r"provenance\.json is missing: name a folder that `jamlab latency"
        ):
            CardRecord.load(tmp_path)

    def test_no_parquet(self, saved):
        (saved / "loopback.parquet").write_bytes(b"PAR1 not")
        with pytest.raises(RecordError, match=r"loopback\.parquet cannot be read"):
            CardRecord.load(saved)

    def test_another_table(self, saved):
        CardRecord.load(saved).loopback.drop(columns="click").to_parquet(saved / "loopback.parquet")
        with pytest.raises(RecordError, match=r"lacks the columns \['click'\]"):
            CardRecord.load(saved)

    def test_without_provenance(self, saved):
        (saved / "provenance.json").unlink()
        with pytest.raises(RecordError, match=r"provenance\.json is missing"):
            CardRecord.load(saved)


class TestFigures:
    def test_a_block_has_its_clicks_confidence(self):
        record = card_record({64: 300.0})
        assert record.confidence(64) == pytest.approx(0.9)
        assert np.isnan(record.confidence(128))

    def test_the_median_with_its_interval(self):
        estimate = card_record({64: 300.0}, spread=0.5).round_trip_frames(64)
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.value == pytest.approx(300, abs=4 * 0.5 * 1.25 / 40**0.5)
        assert 0 < estimate.high - estimate.low < 1

    def test_another_block_size_was_not_measured(self):
        record = card_record({64: 300.0})
        assert record.round_trip_frames(128) is None

    def test_too_few_clicks_heard_are_no_figure(self):
        clicks = clicks_of({64: 300.0}, missed=3)
        with pytest.raises(DeviceError, match="only 92% of the clicks came back at 64 frames"):
            CardRecord.of(clicks, LoopbackPlan((64,)), OUTPUT, INPUT)
        record = CardRecord(clicks, card_record({64: 300.0}).provenance)
        assert record.round_trip_frames(64) is None
        assert record.block_sizes == ()

    def test_readings_that_disagree_are_no_figure(self):
        """As of a loop and an echo 10 ms later, between which readings fall at random."""
        clicks = clicks_of({64: 300.0, 128: 420.0})
        clicks.loc[(clicks["block_frames"] == 64) & (clicks["click"] % 2 == 0), _TRIP] += 480
        with pytest.raises(DeviceError, match="480 frames apart at 64 frames a block"):
            CardRecord.of(clicks, LoopbackPlan((64, 128)), OUTPUT, INPUT)
        record = CardRecord(clicks, card_record({64: 300.0}).provenance)
        assert record.round_trip_frames(64) is None
        assert record.block_sizes == (128,)
        with pytest.raises(RecordError, match=r"not measured at blocks of 64 frames: .*disagree"):
            check_block(record, 64)

    def test_a_click_or_two_may_be_missing(self):
        estimate = card_record({64: 300.0}, missed=2).round_trip_frames(64)
        assert estimate.value == 300
        assert np.isfinite([estimate.low, estimate.high]).all()
