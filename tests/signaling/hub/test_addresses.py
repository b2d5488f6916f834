import ipaddress
import socket

import pytest

from jamlab.signaling.hub import addresses
from jamlab.signaling.hub.addresses import (
    certified_names,
    distant_host,
    host_names,
    in_url,
    local_host,
    own_addresses,
)

OWN = socket.gethostname()


@pytest.fixture
def routed(monkeypatch):
    """A machine with one address."""
    monkeypatch.setattr(addresses, "own_addresses", lambda: iter(["192.0.2.7"]))


@pytest.mark.parametrize(
    ("host", "near"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("192.0.2.9", "192.0.2.9"), ("jam.local",) * 2],
)
def test_a_client_on_this_machine(host, near):
    assert local_host(host) == near


def test_a_client_on_another_machine(routed):
    assert distant_host("0.0.0.0") == distant_host("::") == "192.0.2.7"
    assert distant_host("192.0.2.9") == "192.0.2.9"


def test_without_a_route_the_machine_has_its_name(monkeypatch):
    monkeypatch.setattr(addresses, "own_addresses", lambda: iter([]))
    assert distant_host("0.0.0.0") == OWN


def test_names_in_requests():
    assert host_names("127.0.0.1") == ["127.0.0.1"]
    assert host_names("192.0.2.9") == ["192.0.2.9", OWN, f"{OWN}.local"]


def test_names_in_the_certificate(routed):
    near = ["127.0.0.1", "::1", "localhost"]
    assert certified_names("127.0.0.1") == near
    assert certified_names("0.0.0.0") == [*near, OWN, f"{OWN}.local", "192.0.2.7"]
    assert certified_names("192.0.2.9") == [*near, "192.0.2.9", OWN, f"{OWN}.local"]


def test_own_addresses_are_addresses_that_one_can_listen_at():
    for address in own_addresses():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        assert not ipaddress.ip_address(address).is_loopback
        with socket.socket(family) as end:
            end.bind((address, 0))


def test_addresses_in_a_url():
    assert in_url("::1") == "[::1]"
    assert in_url("192.0.2.7") == "192.0.2.7"
