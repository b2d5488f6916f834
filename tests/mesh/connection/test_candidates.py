"""Candidates on the wire, and those that come early."""

import hypothesis.strategies as st
from aioice import Candidate
from hypothesis import given

from jamlab.mesh.connection.candidates import (
    MOST_EARLY,
    EarlyCandidates,
    candidate_init,
    candidates_in,
    fragment_of,
)
from jamlab.mesh.connection.description import read_candidate

LINE = "1 1 udp 2130706431 192.0.2.1 50000 typ srflx raddr 10.0.0.1 rport 9"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_a_candidate_is_written_as_a_browser_writes_it_and_can_be_read():
    init = candidate_init(Candidate.from_sdp(LINE), "abcd", "audio")
    assert init == {
        "candidate": f"candidate:{LINE}",
        "sdpMid": "audio",
        "sdpMLineIndex": 0,
        "usernameFragment": "abcd",
    }
    assert read_candidate(init, "ben").ip == "192.0.2.1"
    assert candidate_init(None, "abcd", "0")["candidate"] == ""
    assert read_candidate(candidate_init(None, "abcd", "0"), "ben") is None


def test_a_signal_has_one_or_several():
    one = {"candidate": "candidate:1", "sdpMid": "0"}
    assert [*candidates_in(one)] == [one]
    assert [*candidates_in({"candidates": [one, one, "x", None]})] == [one, one]
    assert len([*candidates_in({"candidates": [one] * 1000})]) == MOST_EARLY


@given(st.dictionaries(st.sampled_from(["candidates", "usernameFragment"]) | st.text(), ANYTHING))
def test_a_signal_may_be_anything(signal):
    for candidate in candidates_in(signal):
        fragment = fragment_of(candidate)
        assert fragment is None or isinstance(fragment, str)


class TestEarly:
    def of(self, fragment, number=0):
        return {"candidate": f"candidate:{number}", "usernameFragment": fragment}

    def test_those_of_the_attempt_are_taken_and_the_others_kept(self):
        early = EarlyCandidates()
        for fragment in "one", "two", "one":
            early.keep("ben", self.of(fragment))
        assert early.take("ben", "one") == [self.of("one")] * 2
        assert early.take("ben", "one") == early.take("cleo", "two") == []
        assert early.take("ben", "two") == [self.of("two")]

    def test_they_are_bounded(self):
        early = EarlyCandidates()
        for number in range(1000):
            early.keep("ben", self.of("one", number))
        kept = early.take("ben", "one")
        assert kept == [self.of("one", number) for number in range(1000 - MOST_EARLY, 1000)]
        for number in range(1000):
            early.keep(f"peer {number}", self.of("one"))
        assert early.take("peer 0", "one") == []
        assert early.take("peer 999", "one") == [self.of("one")]
