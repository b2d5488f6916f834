"""Records of recordings: names of arrivals, and contradictions."""

from dataclasses import replace

import pytest

from jamlab.measure.record import RecordError
from jamlab.measure.recording.record import RecordingRecord
from tests.measure.recording.records import arrival, beats, recording_record


def test_an_arrival_is_called_by_what_tells_it_apart():
    plain = recording_record()
    assert [plain.name(1), plain.name(2)] == ["channel 1", "channel 2"]
    echo = recording_record(arrival(1, beats(9)), arrival(2, beats(9, 0.1), order=2))
    assert echo.name(2) == "channel 1, arrival 2"
    voices = recording_record(
        arrival(1, beats(9), voice=3), arrival(2, beats(9), file=2, voice=4), names=("a", "b")
    )
    assert voices.name(2) == "b, channel 1, voice 4"


def with_every(record, every_s):
    parameters = record.provenance["parameters"] | {"every_s": every_s}
    return replace(record, provenance=record.provenance | {"parameters": parameters})


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: replace(record, clicks=record.clicks[record.clicks["arrival"] == 1]),
        lambda record: replace(record, arrivals=record.arrivals.assign(file=2)),
        lambda record: replace(record, arrivals=record.arrivals.assign(arrival=1)),
        lambda record: replace(record, provenance=record.provenance | {"recordings": [{}]}),
        lambda record: replace(record, provenance=record.provenance | {"notes": [1]}),
        lambda record: with_every(record, "10"),
        lambda record: with_every(record, -1),
    ],
)
def test_a_contradiction_is_refused(tmp_path, damage):
    folder = damage(recording_record()).save(tmp_path)
    with pytest.raises(RecordError, match="analyse"):
        RecordingRecord.load(folder)
