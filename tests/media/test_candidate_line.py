"""Candidates as RFC 8839 §5.1 has them; aioice's own parser reads what is written."""

import hypothesis.strategies as st
import pytest
from aioice import Candidate
from hypothesis import given

from jamlab.media.candidate_line import candidate_line, is_usable, read_candidate_line

GOOD = "1467250027 1 udp 2122260223 192.0.2.10 51472 typ host"


@pytest.mark.parametrize("prefix", ["", "candidate:", "a=candidate:"])
@pytest.mark.parametrize("rest", ["", " generation 0", " ufrag F7gI network-id", " x"])
def test_a_candidate_is_read_with_or_without_what_surrounds_it(prefix, rest):
    candidate = read_candidate_line(prefix + GOOD + rest)
    assert candidate_line(candidate) == GOOD
    assert is_usable(candidate)
    read = Candidate.from_sdp(candidate_line(candidate))
    assert (read.host, read.port, read.priority) == ("192.0.2.10", 51472, 2122260223)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (GOOD, "", "fewer than 8 fields"),
        (" typ host", "", "fewer than 8 fields"),
        ("typ", "type", "seventh field"),
        ("udp", "u/p", "transport"),
        ("host", "ho(st", "type"),
        ("1467250027", "1" * 33, "foundation"),
        ("1467250027", "ü", "foundation"),
        ("192.0.2.10", "[2001:db8::1]", "address"),
        ("192.0.2.10", "a/b", "address"),
        ("51472", "99999", "port is not 0 to 65535"),
        ("51472", "-1", "port is not 0"),
        ("51472", "9" * 5000, "port"),
        ("51472", "٣", "port is not a number"),  # Python's int would read this digit
        ("51472", "5_0", "port is not a number"),
        (" 1 udp", " 0 udp", "component is not 1 to 256"),
        (" 1 udp", " 257 udp", "component"),
        ("2122260223", str(1 << 32), "priority"),
        ("2122260223", str((1 << 64) - 1), "priority"),
    ],
)
def test_a_malformed_one_is_refused_with_its_field(old, new, fault):
    with pytest.raises(ValueError, match=fault):
        read_candidate_line(GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("udp", "tcp"),
        (" 1 udp", " 2 udp"),
        ("host", "future"),
        ("51472", "0"),
        ("192.0.2.10", "example.org"),
        ("192.0.2.10", "a.b.local"),
        ("192.0.2.10", "0.0.0.0"),
        ("192.0.2.10", "255.255.255.255"),
        ("192.0.2.10", "224.0.0.251"),
        ("192.0.2.10", "ff02::fb"),
        ("192.0.2.10", "::"),
        ("192.0.2.10", "::ffff:192.0.2.10"),
        ("192.0.2.10", "fe80::1%eth0"),
    ],
)
def test_one_that_the_agent_cannot_check_is_no_error(old, new):
    assert not is_usable(read_candidate_line(GOOD.replace(old, new)))


@pytest.mark.parametrize(
    "host", ["2001:db8::1", "127.0.0.1", "::1", "7c9e6679-7425-40de-944b-e07fc1f90ae7.local"]
)
def test_addresses_and_names_of_mdns_can_be_checked(host):
    assert is_usable(read_candidate_line(GOOD.replace("192.0.2.10", host).replace("udp", "UDP")))


@given(st.text() | st.lists(st.sampled_from(GOOD.split()) | st.text(), max_size=12).map(" ".join))
def test_any_text_is_read_or_refused(text):
    try:
        candidate = read_candidate_line(text)
    except ValueError:
        return
    assert read_candidate_line(candidate_line(candidate)) == candidate
    assert is_usable(candidate) in (True, False)
