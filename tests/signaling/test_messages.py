import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.signaling.messages import (
    MAX_SIGNAL_BYTES,
    MalformedSignalError,
    Signal,
    SignalType,
    is_name,
)
from tests.examples import examples

names = st.text(min_size=1)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
payloads = st.fixed_dictionaries(
    {
        "type": st.sampled_from([kind.value for kind in SignalType]),
        "senderPeerId": names,
        "targetPeerId": names,
        "data": st.dictionaries(st.text(), values, min_size=1),
    }
)
signals = st.builds(
    Signal,
    st.sampled_from(SignalType),
    names,
    names,
    st.dictionaries(st.text(), values, min_size=1),
)


@examples(40)
@given(signals)
def test_a_signal_survives_the_wire(signal):
    assert Signal.from_payload(json.loads(json.dumps(signal.to_payload()))) == signal


@examples(40)
@given(payloads)
def test_a_payload_survives_being_read(payload):
    assert Signal.from_payload(payload).to_payload() == payload


def test_the_wire_format_is_the_browsers():
    signal = Signal(SignalType.ICE_CANDIDATE, "ada", "ben", {"candidate": "", "sdpMid": "0"})
    assert signal.to_payload() == {
        "type": "ice-candidate",
        "targetPeerId": "ben",
        "senderPeerId": "ada",
        "data": {"candidate": "", "sdpMid": "0"},
    }


MISSING = object()
NEITHER = [MISSING, None, "", 0, 1, 1.5, True, [], ["x"], {}]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *(
            (field, wrong)
            for field in ("type", "senderPeerId", "targetPeerId")
            for wrong in NEITHER
        ),
        *(("data", wrong) for wrong in [*NEITHER, "v=0"]),
        *((field, {"a": 1}) for field in ("type", "senderPeerId", "targetPeerId")),
    ],
)
def test_a_wrong_field_is_named(field, wrong):
    payload = {"type": "offer", "senderPeerId": "a", "targetPeerId": "b", "data": {"sdp": "v=0"}}
    payload[field] = wrong
    if wrong is MISSING:
        del payload[field]
    with pytest.raises(MalformedSignalError, match=f"signal field '{field}'"):
        Signal.from_payload(payload)


@pytest.mark.parametrize("payload", [None, [], "offer", 3, b"{}"])
def test_only_an_object_is_a_signal(payload):
    with pytest.raises(MalformedSignalError, match="signal expected `object`, got `"):
        Signal.from_payload(payload)


@examples(40)
@given(values)
def test_anything_is_a_signal_or_malformed(payload):
    with pytest.raises(MalformedSignalError):
        Signal.from_payload(payload)


@pytest.mark.parametrize("kind", ["Offer", "bye", "ice_candidate"])
def test_an_unknown_type_lists_those_there_are(kind):
    payload = {"type": kind, "senderPeerId": "a", "targetPeerId": "b", "data": {"sdp": ""}}
    known = f"{kind}.*one of offer, answer, ice-candidate, report"
    with pytest.raises(MalformedSignalError, match=known):
        Signal.from_payload(payload)


@pytest.mark.parametrize("text", ["x", "é", "\U0001f3b8"], ids=["ascii", "latin", "astral"])
def test_a_signal_is_as_long_as_its_json(text):
    def signal(length):
        return Signal(SignalType.OFFER, "a", "b", {"sdp": text * length})

    def bytes_of(length):
        return len(json.dumps(signal(length).to_payload()))

    longest = (MAX_SIGNAL_BYTES - bytes_of(0)) // (bytes_of(1) - bytes_of(0))
    Signal.from_payload(signal(longest).to_payload())
    with pytest.raises(MalformedSignalError, match="at most 65536 bytes, this one has 655"):
        Signal.from_payload(signal(longest + 1).to_payload())


@pytest.mark.parametrize("data", [b"v=0", {1, 2}, object()])
def test_what_is_not_json_cannot_be_sent(data):
    with pytest.raises(MalformedSignalError, match="'data' cannot be written as JSON"):
        Signal(SignalType.OFFER, "a", "b", {"sdp": data}).check_length()


def test_data_nested_without_end_is_malformed():
    data = {}
    data["sdp"] = data
    with pytest.raises(MalformedSignalError, match="'data' cannot be written as JSON"):
        Signal.from_payload(
            {"type": "offer", "senderPeerId": "a", "targetPeerId": "b", "data": data}
        )


@pytest.mark.parametrize(
    "name", ["ada", "x" * 128, "a\u200db", "a\u200cb", "a\u00a0b", "\U0001f3b8"]
)
def test_names(name):
    assert is_name(name)


@pytest.mark.parametrize(
    "name", [None, 42, "", " ", "\u200d", "x" * 129, "a\nb", "a\u202eb", "\ud800"]
)
def test_what_is_no_name(name):
    assert not is_name(name)
