import math

import aioice.ice
import pytest

from jamlab.measure import here
from jamlab.measure.attempt import DIRECT, FAILED, Attempt
from jamlab.measure.here import NO_LOOPBACK, connect_here, obstacle_of, unreachable

NOBODYS = "203.0.113.7"
"""Of TEST-NET-3 (RFC 5737): no machine has it."""


def attempt(result=FAILED, stage=""):
    return Attempt(result, "", "", "", math.nan, math.nan, 0.0, stage, "[]")


async def test_this_machine_reaches_itself_and_two_participants_connect():
    assert unreachable() is None
    made = await connect_here()
    assert (made.result, obstacle_of(made)) == (DIRECT, None)


async def test_so_they_do_on_the_loopback_alone(monkeypatch):
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [])
    assert unreachable() is None
    assert (await connect_here()).result == DIRECT


def test_without_any_address_the_loopback_is_down(monkeypatch):
    monkeypatch.setattr(here, "host_addresses", lambda: [])
    assert unreachable() == NO_LOOPBACK
    assert str(NO_LOOPBACK).endswith("ip link set lo up")


def test_addresses_that_are_not_reached_are_named(monkeypatch):
    monkeypatch.setattr(here, "host_addresses", lambda: [NOBODYS, "2001:db8::7"])
    found = unreachable()
    assert f"{NOBODYS}, 2001:db8::7" in found.reason
    monkeypatch.setattr(here, "host_addresses", lambda: [NOBODYS, "127.0.0.1"])
    assert unreachable() is None


@pytest.mark.parametrize("stage", ["gathering", "checks", "DTLS", "deadline"])
def test_each_stage_an_attempt_fails_in_has_its_reason_and_remedy(stage):
    found = obstacle_of(attempt(stage=stage))
    assert found.reason
    assert found.remedy
    assert str(found) == f"{found.reason}: {found.remedy}"
