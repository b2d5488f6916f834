"""Addresses: their blocks, and that all are unique."""

import ipaddress
from itertools import islice

import pytest

from jamlab.networks.model.addresses import (
    backbone_addresses,
    ipv6_addresses,
    is_ipv6,
    private_addresses,
)
from jamlab.networks.model.nat_behaviour import FULL_CONE
from jamlab.networks.model.topology import HostConfig, LanConfig

HOME = LanConfig("home", (HostConfig("ada"),), (FULL_CONE,))
CARRIER = LanConfig("carrier", (HOME,), (FULL_CONE,))


@pytest.mark.parametrize(
    ("addresses", "block"),
    [
        (backbone_addresses(), "198.18.0.0/15"),  # RFC 2544
        (private_addresses(HOME, 3), "10.0.3.0/24"),  # RFC 1918
        (private_addresses(CARRIER, 3), "100.64.3.0/24"),  # RFC 6598
    ],
)
def test_blocks_and_their_hosts(addresses, block):
    hosts = ipaddress.ip_network(block).hosts()
    first = list(islice(addresses, 254))
    assert first == [str(host) for host in islice(hosts, 254)]


def test_addresses_that_look_like_a_networks_own_are_left_out():
    addresses = list(islice(backbone_addresses(), 1000))
    assert len(set(addresses)) == 1000
    assert not {"0", "255"} & {address.rpartition(".")[2] for address in addresses}


def test_ipv6_addresses_are_of_networks_under_test():
    """RFC 5180 section 8."""
    addresses = list(islice(ipv6_addresses(), 300))
    block = ipaddress.ip_network("2001:2::/48")
    assert len(set(addresses)) == 300
    assert all(ipaddress.ip_address(address) in block for address in addresses)
    assert all(map(is_ipv6, addresses))
    assert not any(map(is_ipv6, islice(backbone_addresses(), 300)))
