"""Classes of IPv6 firewalls, each as RFC 6092 says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import Filtering

TWO_HOURS_FOUR_MINUTES_S = 7440


def test_transparent_mode_is_no_box():
    """REC-49."""
    assert Ipv6Firewall.NONE.box is None


@pytest.mark.parametrize("firewall", [Ipv6Firewall.STATEFUL, Ipv6Firewall.CLOSED])
def test_lifetimes_are_those_of_rfc_6092(firewall):
    """REC-14: UDP five minutes by default; REC-35: TCP not less than two hours and four minutes."""
    assert firewall.box.lifetime_s == 300
    assert firewall.box.tcp_lifetime_s >= TWO_HOURS_FOUR_MINUTES_S


def test_stateful_lets_answers_in():
    assert Ipv6Firewall.STATEFUL.box.filtering is Filtering.APDF
    assert not Ipv6Firewall.STATEFUL.box.udp_blocked


def test_closed_has_no_udp():
    assert Ipv6Firewall.CLOSED.box.udp_blocked


@given(st.sampled_from(Ipv6Firewall))
def test_a_class_is_found_by_its_word(firewall):
    assert Ipv6Firewall(str(firewall)) is firewall
