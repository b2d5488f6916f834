"""Restoring what rtcstats left out, against its rules written as literal samples."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.dump.layouts.delta import Descriptions, restored
from tests.examples import examples
from tests.measure.dump.calls import compressed, samples

FIRST = {"0": {"type": 1, "47": 1.5, "16": 0.25, "11": "audio", "d": {"a": 1, "b": 2}}, "t": 10}


def test_numbers_become_names():
    assert restored({}, FIRST) == {
        "0": {
            "type": "inbound-rtp",
            "jitterBufferDelay": 1.5,
            "jitter": 0.25,
            "kind": "audio",
            "d": {"a": 1, "b": 2},
            "timestamp": 10,
        }
    }


def test_only_what_changed_is_replaced():
    before = restored({}, FIRST)
    kept = copy.deepcopy(before)
    after = restored(before, {"0": {"16": 0, "d": {"b": 3}}, "t": 20})
    assert after["0"]["jitter"] == 0
    assert after["0"]["d"] == {"a": 1, "b": 3}
    assert after["0"]["jitterBufferDelay"] == 1.5
    assert after["0"]["timestamp"] == 20
    assert before == kept


def test_an_unchanged_object_has_the_common_time():
    assert restored(restored({}, FIRST), {"t": 30})["0"]["timestamp"] == 30


def test_an_object_keeps_a_time_of_its_own():
    assert restored(restored({}, FIRST), {"0": {"t": 25}, "t": 30})["0"]["timestamp"] == 25


def test_zero_is_the_common_time_in_version_2():
    assert restored({}, {"a": {"timestamp": 0}, "timestamp": 7})["a"]["timestamp"] == 7


def test_null_removes_an_object():
    assert restored(restored({}, FIRST), {"0": None, "t": 20}) == {}


def test_an_array_is_whole():
    before = restored({}, {"0": {"list": [1, 2]}, "t": 1})
    assert restored(before, {"0": {"list": [3]}, "t": 2})["0"]["list"] == [3]


@examples(100)
@given(
    st.lists(st.floats(0, 300), min_size=1, max_size=5),
    st.lists(st.sampled_from(["SA", "AP", "RIA2"]), max_size=3),
    st.booleans(),
)
def test_what_was_compressed_comes_back(delays_ms, gone, numbers):
    """Whole samples, one without some objects, give the same figures again."""
    whole = [reports for _, reports in samples(delays_ms)]
    whole[-1] = {name: each for name, each in whole[-1].items() if name not in gone}
    before, ids, read = {}, {}, {}
    for ms, reports in enumerate(whole, start=1):
        read = restored(read, compressed(before, reports, ms, ids, numbers))
        before = reports
        assert set(read) == {ids[name] for name in reports}
        for name, report in reports.items():
            for key, value in report.items():
                assert read[ids[name]][key] == (
                    ids.get(value, value) if key[-2:] == "Id" else value
                )


HEAD, AUDIO, VIDEO = "v=0\r\no=- 1", "m=audio 9 x 111\r\na=mid:0", "m=video 9 x 96\r\na=mid:1"


def offer(*sections, kind="offer"):
    return {"type": kind, "sdp": "\r\n".join(sections) + "\r\n"}


class TestDescriptions:
    def test_the_created_one_is_the_base_of_the_local_one(self):
        kept = Descriptions()
        kept.restore("createOfferOnSuccess", offer(HEAD, AUDIO, VIDEO))
        assert kept.restore("setLocalDescription", offer("v=", "m=", "m=")) == offer(
            HEAD, AUDIO, VIDEO
        )

    def test_changed_and_added_sections_stay(self):
        kept = Descriptions()
        kept.restore("setRemoteDescription", offer(HEAD, AUDIO))
        changed = offer("v=0\r\no=- 2", "m=", VIDEO)
        assert kept.restore("setRemoteDescription", changed) == offer("v=0\r\no=- 2", AUDIO, VIDEO)

    def test_another_type_is_whole(self):
        kept = Descriptions()
        kept.restore("setLocalDescription", offer(HEAD, AUDIO))
        answer = offer(HEAD, VIDEO, kind="answer")
        assert kept.restore("setLocalDescription", answer) == answer

    def test_more_left_out_than_is_known_stays_as_it_is(self):
        kept = Descriptions()
        kept.restore("setRemoteDescription", offer(HEAD))
        assert kept.restore("setRemoteDescription", offer("v=", "m=")) == offer(HEAD, "m=")

    def test_the_first_is_whole_even_without_a_type(self):
        assert Descriptions().restore("setRemoteDescription", offer(HEAD, kind=None)) == offer(
            HEAD, kind=None
        )

    def test_other_calls_pass(self):
        assert Descriptions().restore("addTrack", ["audio"]) == ["audio"]
        assert Descriptions().restore("setLocalDescription", None) is None
