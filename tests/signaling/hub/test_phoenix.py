import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtime.message import BroadcastMessage, ServerMessageAdapter

from jamlab.signaling.hub.phoenix import (
    MAX_DEPTH,
    MAX_REF,
    MalformedFrameError,
    Message,
    Version,
    _depth,
    broadcast,
    decode,
    encode,
    reply,
)

V1, V2 = Version.V1, Version.V2
CONFIG = {
    "config": {
        "broadcast": {"ack": True, "self": False},
        "presence": {"key": "ada", "enabled": True},
        "private": False,
    }
}

JOIN_V1 = json.dumps(
    {"event": "phx_join", "payload": CONFIG, "topic": "realtime:r", "ref": "1", "join_ref": "1"}
)
JOIN_V2 = json.dumps(["1", "1", "realtime:r", "phx_join", CONFIG])
HEARTBEAT_V1 = '{"event":"heartbeat","payload":{},"topic":"phoenix","ref":null,"join_ref":null}'
HEARTBEAT_V2 = '[null,"7","phoenix","heartbeat",{}]'

texts = st.text(st.characters(exclude_categories=["Cs"]))
refs = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_REF)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
payloads = st.dictionaries(texts, values, max_size=4)
messages = st.builds(Message, texts, texts, payloads, refs, refs)


def push(event, payload, encoding, *, topic=b"realtime:r", ref=b"2", join_ref=b"1", meta=b""):
    """Return a binary broadcast, by the layout in Realtime's V2Serializer."""
    names = (join_ref, ref, topic, event, meta)
    return bytes([3, *map(len, names), encoding]) + b"".join(names) + payload


def delivered(frame):
    """Read a binary broadcast to a client, by the layout in realtime-js's serializer."""
    view = memoryview(frame)
    assert view[0] == 4
    topic, event, meta = view[1], view[2], view[3]
    start = 5 + topic + event
    return (
        bytes(view[5 : 5 + topic]).decode(),
        bytes(view[5 + topic : start]).decode(),
        bytes(view[start : start + meta]),
        view[4],
        bytes(view[start + meta :]),
    )


REAL = [
    (JOIN_V1, V1),
    (HEARTBEAT_V1, V1),
    (JOIN_V2, V2),
    (HEARTBEAT_V2, V2),
    (push(b"webrtc-signal", b'{"senderPeerId":"ada"}', 1), V2),
    (push(b"raw", b"\x00\xff", 0), V2),
]


class TestDecode:
    @pytest.mark.parametrize(("frame", "version"), [(JOIN_V1, V1), (JOIN_V2, V2)])
    def test_a_join_of_either_client(self, frame, version):
        assert decode(frame, version) == Message("realtime:r", "phx_join", CONFIG, "1", "1")

    @pytest.mark.parametrize(
        ("frame", "version", "ref"), [(HEARTBEAT_V1, V1, None), (HEARTBEAT_V2, V2, "7")]
    )
    def test_a_heartbeat_of_either_client(self, frame, version, ref):
        assert decode(frame, version) == Message("phoenix", "heartbeat", {}, ref, None)

    def test_a_message_of_vsn_1_needs_no_refs(self):
        message = decode('{"topic":"t","event":"e","payload":{}}', V1)
        assert (message.ref, message.join_ref) == (None, None)

    def test_a_broadcast_of_json_in_binary(self):
        message = decode(push("grüß".encode(), '{"a":["é",1]}'.encode(), 1), V2)
        payload = {"type": "broadcast", "event": "grüß", "payload": {"a": ["é", 1]}}
        assert message == Message("realtime:r", "broadcast", payload, "2", "1")

    def test_a_broadcast_of_bytes(self):
        message = decode(push(b"raw", b"\x00\xff", 0, ref=b"", join_ref=b""), V2)
        payload = {"type": "broadcast", "event": "raw", "payload": b"\x00\xff"}
        assert message == Message("realtime:r", "broadcast", payload, None, None)

    def test_what_the_client_adds_to_a_broadcast_is_skipped(self):
        frame = push(b"e", b"{}", 1, meta=b'{"persist":true}')
        assert decode(frame, V2) == decode(push(b"e", b"{}", 1), V2)

    @pytest.mark.parametrize(
        ("frame", "version"),
        [
            ("", V1),
            ("null", V1),
            ("[]", V1),
            (JOIN_V2, V1),
            ('{"topic":1,"event":"e","payload":{}}', V1),
            ('{"topic":"t","payload":{}}', V1),
            ('{"topic":"t","event":"e","payload":[]}', V1),
            ('{"topic":"t","event":"e","payload":{},"ref":{}}', V1),
            ('{"topic":"t","event":"e","payload":{},"x":' + "[" * 100_000, V1),
            (push(b"e", b"{}", 1), V1),
            (JOIN_V1, V2),
            ('[null,null,"t","e"]', V2),
            ('[null,null,"t","e",[]]', V2),
            ('[null,null,"t","e","payload"]', V2),
            ('[null,null,"t","e",0]', V2),
            ('[null,null,null,"e",{}]', V2),
            ('[[],null,"t","e",{}]', V2),
            ('["' + "1" * 129 + '",null,"t","e",{}]', V2),
            ('[null,null,"t","e",{"a":NaN}]', V2),
            ('[null,null,"t","e",{"a":1e999}]', V2),
            (r'[null,null,"t","e",{"a":"\ud800"}]', V2),
            ('[null,null,"t","e",{"a":' + "[" * 5000 + "]" * 5000 + "}]", V2),
            ('[null,null,"t","e",{"a":' + "9" * 5000 + "}]", V2),
            (b"", V2),
            (b"\x03\x00\x00\x00\x00\x00", V2),
            (bytes([4]) + push(b"e", b"{}", 1)[1:], V2),
            (push(b"e", b"{}", 2), V2),
            (push(b"e", b"{", 1), V2),
            (push(b"e", b"\xff", 1), V2),
            (push(b"\xff", b"{}", 1), V2),
            (push(b"e", b"", 0)[:-1], V2),
        ],
    )
    def test_anything_else_is_malformed(self, frame, version):
        with pytest.raises(MalformedFrameError):
            decode(frame, version)

    @pytest.mark.parametrize("ref", ["1", "", 1, -1, 1.5, 2**53, 10**127, True, None])
    def test_refs_of_any_form_are_kept(self, ref):
        # V2Serializer and Phoenix.Socket.Message take them as they are
        v2 = json.dumps([ref, ref, "t", "e", {}])
        v1 = json.dumps({"topic": "t", "event": "e", "payload": {}, "ref": ref, "join_ref": ref})
        for frame, version in ((v1, V1), (v2, V2)):
            message = decode(frame, version)
            assert message == Message("t", "e", {}, ref, ref)
            answer = json.loads(encode(reply(message, "ok", {}), version))
            assert (answer[1] if version is V2 else answer["ref"]) == ref

    @pytest.mark.parametrize(
        ("frame", "version"),
        [
            ('[null,"1","t","e",null]', V2),
            ('[null,"1","t","e",{},{"more":1}]', V2),
            ('{"topic":"t","event":"e","payload":null,"ref":"1"}', V1),
            ('{"topic":"t","event":"e","ref":"1"}', V1),
        ],
    )
    def test_no_payload_is_an_empty_one_and_more_is_skipped(self, frame, version):
        assert decode(frame, version) == Message("t", "e", {}, "1")

    @pytest.mark.parametrize(
        ("frame", "version", "fault", "to"),
        [
            ('[[],7,"t","e",{}]', V2, "its join_ref is wrong", ("t", 7, None)),
            (f'[{10**MAX_REF},7,"t","e",{{}}]', V2, "its join_ref is wrong", ("t", 7, None)),
            (f'[7,{-(10**400)},"t","e",{{}}]', V2, "its ref is wrong", ("t", None, 7)),
            (f'[7,"{"1" * (MAX_REF + 1)}","t","e",{{}}]', V2, "its ref is wrong", ("t", None, 7)),
            ('["1","7",0,"e",{}]', V2, "its topic is wrong", ("phoenix", "7", "1")),
            ('["1","7","t","e",[]]', V2, "its payload is wrong", ("t", "7", "1")),
            ('{"event":"e","ref":7}', V1, "its topic is wrong", ("phoenix", 7, None)),
            ('{"topic":"t","ref":"7"}', V1, "its event is wrong", ("t", "7", None)),
            ("{}", V2, r"must be \[join_ref, ref", ("phoenix", None, None)),
            ("nonsense", V1, "must be JSON", ("phoenix", None, None)),
            (push(b"e", b"{", 1), V2, "must be JSON", ("realtime:r", "2", "1")),
        ],
    )
    def test_the_reason_names_the_field_and_whom_to_reply(self, frame, version, fault, to):
        with pytest.raises(MalformedFrameError, match=fault) as caught:
            decode(frame, version)
        message = caught.value.to
        assert (message.topic, message.ref, message.join_ref) == to

    def test_levels_are_counted_by_the_rule(self):
        def nested(levels):
            return '[null,null,"t","e",' + '{"a":' * levels + "1" + "}" * levels + "]"

        decode(nested(MAX_DEPTH - 1), V2)  # the list around it is a level, too
        with pytest.raises(MalformedFrameError, match="levels"):
            decode(nested(MAX_DEPTH), V2)

    @given(values)
    def test_levels_are_counted_as_python_counts_them(self, value):
        def levels(value):
            inner = value.values() if isinstance(value, dict) else value
            is_nested = isinstance(value, dict | list)
            return 1 + max(map(levels, inner), default=0) if is_nested else 0

        for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
            assert _depth(text) == levels(value)

    @pytest.mark.parametrize("quote", ['"', r"\"", '\\\\"', '"\\'])
    def test_brackets_in_strings_are_no_levels(self, quote):
        text = json.dumps({"a": (quote + "[{") * 1000})
        assert decode(f'[null,null,"t","e",{text}]', V2).payload == json.loads(text)
        assert _depth(text) == 1

    @pytest.mark.parametrize("text", ['"' * 300_001, r"\"" * 150_000, '["' + "\\" * 300_001])
    def test_strings_without_an_end_are_read_once(self, text):
        # a search that began again at each quote would take hours
        with pytest.raises(MalformedFrameError):
            decode("[" * 65 + text, V2)

    def test_many_brackets_are_not_many_levels(self):
        wide = '[null,null,"t","e",{"a":[' + ",".join(["[]"] * 1000) + "]}]"
        assert len(decode(wide, V2).payload["a"]) == 1000

    def test_the_error_says_nothing_of_the_content(self):
        with pytest.raises(MalformedFrameError) as caught:
            decode('{"access_token":"sb_secret"', V1)
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None

    @given(st.binary() | st.text(), st.sampled_from(Version))
    def test_arbitrary_frames_raise_nothing_else(self, frame, version):
        with pytest.raises(MalformedFrameError):
            decode(frame, version)

    @given(st.sampled_from(REAL), st.data())
    def test_mutated_frames_raise_nothing_else(self, real, data):
        frame, version = real
        start = data.draw(st.integers(0, len(frame)))
        end = data.draw(st.integers(start, min(len(frame), start + 8)))
        inserted = data.draw(
            st.binary(max_size=4)
            if isinstance(frame, bytes)
            else st.text('[]{}":,1\\ud', max_size=4)
        )
        try:
            message = decode(frame[:start] + inserted + frame[end:], version)
        except MalformedFrameError:
            return
        assert encode(message, V2) is not None  # what is understood can be passed on


class TestEncode:
    @given(messages)
    def test_vsn_2_is_an_array(self, message):
        frame = encode(message, V2)
        fields = [message.join_ref, message.ref, message.topic, message.event, message.payload]
        assert json.loads(frame) == fields
        assert decode(frame, V2) == message

    @given(messages)
    def test_vsn_1_is_an_object_with_a_ref(self, message):
        names = {"topic", "event", "payload", "ref"}
        frame = json.loads(encode(message, V1))
        assert frame == {name: getattr(message, name) for name in names}

    @pytest.mark.parametrize(
        "message",
        [
            broadcast("realtime:r", "e", {"a": 1}),
            reply(Message("realtime:r", "phx_join", {}, "1", "1"), "ok", {"postgres_changes": []}),
            reply(Message("realtime:r", "presence", {}, "4", "1"), "error", {"reason": "no"}),
            reply(Message("phoenix", "heartbeat", {}), "ok", {}),
            Message("realtime:r", "phx_close", {}, "1", "1"),
            Message("realtime:r", "presence_state", {"ada": {"metas": [{"phx_ref": "x"}]}}),
            Message("realtime:r", "presence_diff", {"joins": {}, "leaves": {}}),
        ],
    )
    def test_the_python_client_understands_vsn_1(self, message):
        understood = ServerMessageAdapter.validate_json(encode(message, V1))
        assert (understood.topic, understood.event) == (message.topic, message.event)
        assert understood.ref == message.ref

    def test_text_is_not_longer_than_it_was(self):
        content = {"a": "é" * 1000}
        frame = encode(broadcast("t", "e", content), V1)
        assert len(frame.encode()) < 2200  # escaped it would have 6000

    @given(texts.filter(lambda t: len(t.encode()) < 256), st.binary())
    def test_bytes_are_binary_in_vsn_2_and_nothing_in_vsn_1(self, name, content):
        message = broadcast("realtime:r", name, content)
        assert delivered(encode(message, V2)) == ("realtime:r", name, b"", 0, content)
        assert encode(message, V1) is None


def test_a_broadcast_is_what_the_python_client_calls_one():
    message = ServerMessageAdapter.validate_json(encode(broadcast("t", "e", {"x": [1]}), V1))
    assert isinstance(message, BroadcastMessage)
    assert message.payload == {"event": "e", "payload": {"x": [1]}}


def test_a_message_does_not_show_what_it_carries():
    assert "sb_secret" not in repr(Message("t", "e", {"access_token": "sb_secret"}))
