"""Messages of ends over the wire, and a sentence for invalid ones."""

import contextlib
import json

import pytest
from aioice import Candidate
from aiortc import RTCSessionDescription
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.connectivity.ends import CHECKS, DTLS, GATHERING
from jamlab.measure.connectivity_on_kernel.end_messages import (
    Broken,
    Done,
    Over,
    Ready,
    State,
    line,
    message,
    packed,
    pair,
    unpacked,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
TIMES = st.floats(0, 1e9)
ADDRESSES = st.ip_addresses(v=4).map(str)
PORTS = st.integers(1, 65535)
CANDIDATES = st.builds(
    Candidate,
    st.from_regex("[a-z0-9]{1,32}", fullmatch=True),
    st.just(1),
    st.just("udp"),
    st.integers(0, 2**31 - 1),
    ADDRESSES,
    PORTS,
    st.sampled_from(["host", "srflx", "prflx", "relay"]),
    st.none() | ADDRESSES,
    st.none() | PORTS,
)


class TestSaid:
    @given(st.integers(0, 2**40), JSON)
    def test_done(self, number, result):
        assert message(line("done", number, result)) == Done(number, json.loads(json.dumps(result)))

    @given(TIMES, st.sampled_from(["ice", "connection"]), st.text())
    def test_state(self, time_s, kind, state):
        assert message(line("state", time_s, kind, state)) == State(time_s, kind, state)

    @given(st.sampled_from([GATHERING, CHECKS, DTLS]))
    def test_over(self, stage):
        assert message(line("over", 3, stage)) == Over(3, stage)

    @given(st.text())
    def test_broken(self, reason):
        assert message(line("broken", reason)) == Broken(reason)

    def test_ready(self):
        assert isinstance(message(line("ready")), Ready)

    @given(st.lists(JSON))
    def test_is_one_line(self, words):
        said = line(*words)
        assert said.endswith(b"\n")
        assert b"\n" not in said[:-1]


KNOWN = Ready, State, Done, Over, Broken


class TestRubbish:
    @given(st.binary())
    def test_bytes(self, said):
        refuses_or_knows(said)

    @given(st.lists(st.sampled_from(["ready", "state", "done", "over", "broken"]) | JSON))
    def test_words(self, words):
        refuses_or_knows(line(*words))

    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"[" * 100_000,
            b"\xff\xfe",
            b'["ready", 1]',
            b'["state", 1, "ice", "new"',
            b'["state", NaN, "ice", "new"]',
            b'["state", 1.0, "card", "new"]',
            b'["over", 1, "deadline"]',
            b'["done", "1", null]',
            b'["done", true, null]',
            b'["done", 1, Infinity]',
            b'["state", 1e999, "ice", "new"]',
            b'["broken", "\\ud800"]',
            b'["done", 1, ' + b"[" * 100_000 + b"]" * 100_000 + b"]",
        ],
    )
    def test_is_quoted_but_not_at_length(self, said):
        with pytest.raises(ValueError, match="it sent") as refused:
            message(said)
        assert len(str(refused.value)) < 400


def refuses_or_knows(said):
    with contextlib.suppress(ValueError):
        assert isinstance(message(said), KNOWN)


class TestDescriptions:
    @given(st.lists(CANDIDATES, max_size=5), st.text(), st.text())
    def test_of_agents(self, candidates, username, password):
        there = unpacked(json.loads(json.dumps(packed((candidates, username, password)))))
        assert [c.to_sdp() for c in there[0]] == [c.to_sdp() for c in candidates]
        assert there[1:] == (username, password)

    @given(st.sampled_from(["offer", "answer"]), st.text())
    def test_of_connections(self, kind, sdp):
        described = RTCSessionDescription(type=kind, sdp=sdp)
        assert unpacked(json.loads(json.dumps(packed(described)))) == described

    @given(JSON | st.lists(JSON, min_size=3, max_size=3))
    def test_rubbish(self, described):
        try:
            unpacked(described)
        except ValueError:
            pass
        else:
            assert isinstance(described, list | dict)

    def test_rubbish_among_candidates(self):
        for rubbish in (None, 7, "", "1 2 3", "a b c d e f g h"):
            with pytest.raises(ValueError, match=r"."):
                unpacked([[rubbish], "user", "password"])

    @given(CANDIDATES, CANDIDATES)
    def test_a_pair(self, local, remote):
        there = pair([local.to_sdp(), remote.to_sdp()])
        assert [c.to_sdp() for c in there] == [local.to_sdp(), remote.to_sdp()]

    @pytest.mark.parametrize("rubbish", [None, 7, "ab", [], ["a b"], ["", ""], [7, 7], [[], []]])
    def test_rubbish_in_place_of_a_pair(self, rubbish):
        with pytest.raises(ValueError, match=r"."):
            pair(rubbish)
