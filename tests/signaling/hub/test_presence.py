"""Presences against the Python client's own reading of states and diffs."""

from copy import deepcopy
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtime._async.presence import AsyncRealtimePresence

from jamlab.signaling.hub.limits import RefusedError
from jamlab.signaling.hub.presence import Presences, read_presence


def presences():
    refs = count(1)
    return Presences(lambda: f"F{next(refs)}")


class TestPresences:
    def test_a_first_word(self):
        meta = {"metas": [{"mood": "fine", "phx_ref": "F1"}]}
        room = presences()
        assert room.track("ada", {"mood": "fine"}) == {"joins": {"ada": meta}, "leaves": {}}
        assert room.state() == {"ada": meta}

    def test_a_second_word_replaces_the_first(self):
        room = presences()
        room.track("ada", {"mood": "fine"})
        assert room.track("ada", {"mood": "tired"}) == {
            "joins": {"ada": {"metas": [{"mood": "tired", "phx_ref": "F2", "phx_ref_prev": "F1"}]}},
            "leaves": {"ada": {"metas": [{"mood": "fine", "phx_ref": "F1"}]}},
        }

    def test_the_same_word_again_changes_nothing(self):
        room = presences()
        room.track("ada", {"mood": "fine"})
        before = deepcopy(room.state())
        assert room.track("ada", {"mood": "fine"}) is None
        assert room.state() == before

    def test_nothing_said_nothing_taken_back(self):
        assert presences().untrack("ada") is None

    def test_a_member_cannot_choose_the_names_of_the_protocol(self):
        # the Python client would stop listening at a presence_ref that is no string
        room = presences()
        room.track("ada", {"phx_ref": "x", "phx_ref_prev": "y", "presence_ref": [], "a": 1})
        assert room.state() == {"ada": {"metas": [{"a": 1, "phx_ref": "F1"}]}}

    @given(
        st.lists(
            st.tuples(
                st.sampled_from("ab"),
                st.none() | st.dictionaries(st.sampled_from("xy"), st.booleans()),
            ),
            max_size=20,
        ),
        st.integers(0, 20),
    )
    def test_whoever_follows_from_any_moment_on_sees_the_same(self, words, arrival):
        room, client, said = presences(), AsyncRealtimePresence(), {}
        for number, (key, word) in enumerate(words):
            if number == arrival:
                client._on_state_event(deepcopy(room.state()))
            diff = room.untrack(key) if word is None else room.track(key, word)
            if diff is not None and number >= arrival:
                client._on_diff_event(deepcopy(diff))
            said.pop(key, None)
            if word is not None:
                said[key] = word
        if len(words) <= arrival:
            client._on_state_event(deepcopy(room.state()))
        seen = {
            key: [{name: meta[name] for name in meta if name != "presence_ref"} for meta in metas]
            for key, metas in client.state.items()
        }
        assert seen == {key: [word] for key, word in said.items()}


class TestReadPresence:
    @pytest.mark.parametrize("event", ["track", "TRACK"])
    def test_a_word(self, event):
        assert read_presence({"event": event, "payload": {"a": 1}}, 100) == {"a": 1}

    def test_a_word_without_content(self):
        assert read_presence({"event": "track"}, 100) == {}

    @pytest.mark.parametrize("payload", [{}, {"payload": {}}, {"payload": None}])
    def test_taking_it_back(self, payload):
        assert read_presence({"event": "untrack", **payload}, 100) is None

    @pytest.mark.parametrize(
        ("payload", "reason"),
        [
            ({}, "unknown presence event"),
            ({"event": "sync"}, "unknown presence event"),
            ({"event": ["track"]}, "unknown presence event"),
            ({"event": "track", "payload": []}, "must be a map"),
            ({"event": "track", "payload": None}, "must be a map"),
            ({"event": "track", "payload": {"a": "é" * 60}}, "at most 100 bytes, this one 129"),
        ],
    )
    def test_anything_else_is_refused(self, payload, reason):
        with pytest.raises(RefusedError, match=reason):
            read_presence(payload, 100)
