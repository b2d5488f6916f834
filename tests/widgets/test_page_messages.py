"""Messages of the page, which may be anything."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jamlab.fields import FieldError
from jamlab.mesh.reach import Phase
from jamlab.signaling.messages import (
    MAX_NAME,
    MAX_SIGNAL_BYTES,
    MalformedSignalError,
    Signal,
    SignalType,
)
from jamlab.widgets.page_messages import (
    Hello,
    Join,
    Mute,
    PageSignal,
    PeerReading,
    Reading,
    hides_addresses,
    read_message,
    signal_from,
)
from tests.examples import examples
from tests.widgets.page import PAGE, candidate, reading

PEER = {
    "state": "connected",
    "levelDbfs": -20.0,
    "route": "direct",
    "roundTripS": 0.02,
    "jitterBufferS": 0.04,
    "concealedShare": 0.0,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = [*reading(), "on", "takeOver", "type", "target", "data"]
KINDS = st.sampled_from(["hello", "join", "leave", "mute", "signal", "reading"])


def test_each_kind_is_read():
    page = {"page": PAGE}
    assert read_message({"kind": "hello", **page}) == Hello(PAGE)
    assert read_message({"kind": "join", **page, "takeOver": True}) == Join(PAGE, True)
    assert read_message({"kind": "mute", **page, "on": False}) == Mute(PAGE, False)
    read = read_message(reading(peers={"ben": PEER}))
    assert isinstance(read, Reading)
    assert read.peers == {
        "ben": PeerReading(
            state=Phase.CONNECTED,
            level_dbfs=-20.0,
            route="direct",
            round_trip_s=0.02,
            jitter_buffer_s=0.04,
            concealed_share=0.0,
        )
    }


@pytest.mark.parametrize(
    "content",
    [
        None,
        "hello",
        [],
        {},
        {"kind": "explode", "page": PAGE},
        {"kind": "hello"},
        {"kind": "hello", "page": "<b>"},
        {"kind": "hello", "page": PAGE + "0"},
        {"kind": "join", "page": PAGE, "takeOver": "yes"},
        reading(permission="always"),
        reading(levelDbfs=math.nan),
        reading(levelDbfs=-math.inf),
        reading(levelDbfs="loud"),
        reading(warnings=["a" * 1001]),
        reading(warnings=["a"] * 257),
        reading(peers={"": PEER}),
        reading(peers={"a\nb": PEER}),
        reading(peers={"a" * (MAX_NAME + 1): PEER}),
        reading(peers={"ben": PEER | {"state": "well"}}),
        reading(peers={"ben": PEER | {"roundTripS": -1}}),
        reading(peers={"ben": PEER | {"roundTripS": math.nan}}),
        reading(peers={"ben": PEER | {"concealedShare": 1.1}}),
        reading(peers={"ben": PEER | {"levelDbfs": math.nan}}),
        reading(peers={str(n): PEER for n in range(257)}),
    ],
)
def test_what_is_wrong_is_refused(content):
    with pytest.raises(FieldError):
        read_message(content)


@given(JSON | st.dictionaries(st.sampled_from(FIELDS), JSON), KINDS)
@example({"page": "\ud800"}, "hello")
@examples(400)
def test_any_message_is_read_or_refused(content, kind):
    if isinstance(content, dict):
        content = {"page": PAGE} | content | {"kind": kind}
    try:
        message = read_message(content)
    except FieldError:
        return
    if isinstance(message, Reading):
        assert math.isfinite(message.level_dbfs)
    if isinstance(message, PageSignal):
        try:
            signal = signal_from(message, "ada")
        except MalformedSignalError:
            return
        assert signal == Signal.from_payload(signal.to_payload())
        assert signal.sender_peer_id == "ada"


def said(type_="offer", target="ben", **data):
    return PageSignal(PAGE, type_, target, data or {"type": "offer", "sdp": "v=0"})


def test_the_sender_is_the_participant():
    signal = signal_from(said(), "ada")
    assert signal == Signal(SignalType.OFFER, "ada", "ben", {"type": "offer", "sdp": "v=0"})


@pytest.mark.parametrize(
    "message",
    [
        said(type_="shout"),
        said(target=""),
        said(target="a\x00"),
        said(sdp="a" * MAX_SIGNAL_BYTES),
        PageSignal(PAGE, "offer", "ben", {}),
    ],
)
def test_no_signal_is_made_of_what_is_none(message):
    with pytest.raises(MalformedSignalError):
        signal_from(message, "ada")


@pytest.mark.parametrize(
    ("data", "hidden"),
    [
        (candidate("192.0.2.7"), False),
        (candidate("4d36e96e-e325-11ce-bfc1-08002be10318.local"), True),
        (candidate("A.LOCAL"), True),
        ({"candidate": "", "sdpMid": "0"}, None),
        ({"candidate": "candidate:1 1 udp"}, None),
        ({"type": "offer", "sdp": ""}, None),
    ],
)
def test_a_hidden_address_is_noticed(data, hidden):
    signal = Signal(SignalType.ICE_CANDIDATE, "ada", "ben", data)
    assert hides_addresses(signal) is hidden
