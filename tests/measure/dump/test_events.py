import pytest

from jamlab.measure.dump.events import events_table, ice_table
from jamlab.measure.dump.layouts.trace import Event, PeerTrace, Trace

OLD = "url: turn:r.example\naddress: 192.168.0.x\nerror_text: timed out.\nerror_code: 701"
NEW = {"url": "turn:r.example", "errorText": "timed out.", "errorCode": 701}


def trace(*events):
    media = PeerTrace("", events=[Event(5.0, "getUserMedia", {"audio": True})])
    return Trace("rtcstats", "", [PeerTrace("PC_0", events=list(events)), media], 0.001)


def test_events_are_in_order_of_time_with_their_values_as_text():
    table = events_table(
        trace(Event(7.0, "createOffer", None), Event(6.0, "create", {"a": 1})), 5.0
    )
    assert list(table["event"]) == ["getUserMedia", "create", "createOffer"]
    assert list(table["time_s"]) == [0.0, 1.0, 2.0]
    assert list(table["value"]) == ['{"audio": true}', '{"a": 1}', ""]
    assert list(table["connection"]) == ["", "PC_0", "PC_0"]


@pytest.mark.parametrize("value", [OLD, NEW])
def test_an_error_names_its_server_and_reason(value):
    (row,) = ice_table(trace(Event(7.0, "icecandidateerror", value)), 5.0).to_dict("records")
    assert row["event"] == "candidate error"
    for word in ("turn:r.example", "timed out", "701"):
        assert word in row["detail"]


@pytest.mark.parametrize("value", [None, "", {"candidate": ""}])
def test_the_end_of_candidates_is_told(value):
    (row,) = ice_table(trace(Event(7.0, "icecandidate", value)), 5.0).to_dict("records")
    assert (row["event"], row["candidate_type"]) == ("all candidates gathered", "")


def test_other_events_are_not_of_ice():
    assert ice_table(trace(Event(7.0, "createOffer", None)), 5.0).empty
