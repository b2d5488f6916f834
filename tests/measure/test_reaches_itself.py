"""Tests of jamlab.measure.reaches_itself."""

import aioice.ice

from jamlab.measure import reaches_itself
from jamlab.measure.connectivity.attempt import DIRECT
from jamlab.measure.connectivity.connects_here import connect_here, obstacle_of
from jamlab.measure.reaches_itself import NO_LOOPBACK, unreachable

NOBODYS = "203.0.113.7"
"""Of TEST-NET-3 (RFC 5737): no machine has it."""


async def test_this_machine_reaches_itself_and_two_participants_connect():
    assert unreachable() is None
    made = await connect_here()
    assert (made.result, obstacle_of(made)) == (DIRECT, None)


async def test_so_they_do_on_the_loopback_alone(monkeypatch):
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [])
    assert unreachable() is None
    assert (await connect_here()).result == DIRECT


def test_without_any_address_the_loopback_is_down(monkeypatch):
    monkeypatch.setattr(reaches_itself, "host_addresses", lambda: [])
    assert unreachable() == NO_LOOPBACK
    assert str(NO_LOOPBACK).endswith("ip link set lo up")


def test_addresses_that_are_not_reached_are_named(monkeypatch):
    monkeypatch.setattr(reaches_itself, "host_addresses", lambda: [NOBODYS, "2001:db8::7"])
    found = unreachable()
    assert f"{NOBODYS}, 2001:db8::7" in found.reason
    monkeypatch.setattr(reaches_itself, "host_addresses", lambda: [NOBODYS, "127.0.0.1"])
    assert unreachable() is None
