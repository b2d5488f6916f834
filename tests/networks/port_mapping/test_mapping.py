import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.port_mapping.mapping import MappingProtocol, PortMapping
from tests.examples import examples

INSIDE = ("192.168.1.5", 50_000)


def mapping(host="11.0.0.1", port=50_000, lifetime_s=600.0):
    return PortMapping(INSIDE, (host, port), lifetime_s, MappingProtocol.PCP, "192.168.1.1")


@pytest.mark.parametrize(
    ("lifetime_s", "renewal_s"),
    [(600.0, 300.0), (120.0, 60.0), (2.0**32, 300.0), (math.inf, 300.0)],
)
def test_it_is_renewed_at_half_of_its_lifetime_and_within_five_minutes(lifetime_s, renewal_s):
    assert mapping(lifetime_s=lifetime_s).renewal_s == renewal_s


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("100.64.0.1", True),  # RFC 6598
        ("100.127.255.255", True),
        ("100.128.0.0", False),
        ("10.0.0.1", True),  # RFC 1918
        ("172.31.0.1", True),
        ("172.32.0.1", False),
        ("192.168.178.1", True),
        ("11.0.0.1", False),
    ],
)
def test_a_private_address_outside_is_behind_another_nat_and_of_use(host, private):
    """Peers behind the same carrier NAT reach it."""
    assert mapping(host).is_behind_another_nat is private
    assert mapping(host).fault is None


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"host": "0.0.0.0"}, "not connected"),
        ({"host": "127.0.0.1"}, "not connected"),
        ({"host": "169.254.3.4"}, "not connected"),
        ({"host": "224.0.0.1"}, "nobody has"),
        ({"host": "255.255.255.255"}, "nobody has"),
        ({"host": ""}, "states ''"),
        ({"host": "router.local"}, "states 'router.local'"),
        ({"host": "::"}, "states '::'"),
        ({"port": 0}, "port 0"),
        ({"port": 70_000}, "port 70000"),
        ({"lifetime_s": 0.0}, "for 0 s only"),
        ({"lifetime_s": 7.0}, "for 7 s only"),
    ],
)
def test_what_is_of_no_use_is_said_in_a_sentence(broken, words):
    fault = mapping(**broken).fault
    assert fault is not None
    assert fault.startswith("the router ")
    assert words in fault


@examples(500)
@given(host=st.text(), port=st.integers(), lifetime_s=st.floats(min_value=0.0))
def test_any_answer_has_a_verdict(host, port, lifetime_s):
    fault = mapping(host, port, lifetime_s).fault
    assert fault is None or fault.isprintable() or host
