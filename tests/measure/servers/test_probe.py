"""Probes of real coturns, of other programs, and from behind simulated NATs."""

import math
import random
import socket
import ssl
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.configuration import IceServer
from jamlab.ice.time_limited import LIFETIME_S, time_limited
from jamlab.measure.servers.probe import RELAY, SOCKET, STEPS, WORKS, ServerProbe, probe
from jamlab.measure.servers.words import sentence
from jamlab.networks.kernel import coturn
from jamlab.networks.kernel.coturn import Coturn
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, FirewallType
from jamlab.networks.model.packet import TCP
from jamlab.networks.model.place import Place
from jamlab.networks.model.rule import ALL_TYPES
from jamlab.networks.model.topology import HostConfig
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.networks.stun.server import StunServer
from jamlab.networks.turn.client import Credential, TurnClient
from jamlab.networks.turn.fault import Fault
from jamlab.networks.turn.server import TurnServer
from jamlab.networks.turn.wire import open_wire
from tests.networks.simulated.internets import internet

HOST = "127.0.0.1"
needs_coturn = pytest.mark.skipif(
    coturn.unavailable() is not None, reason=coturn.unavailable() or ""
)
USERS = {"jam": "right"}
STUN_STEPS = (True, None, None, None)
TURN_STEPS = (True, True, True, True)


class Stricter(Coturn):
    """A coturn with more settings, and without some it has."""

    def __init__(self, *more, without=(), **options):
        super().__init__(**options)
        self._more, self._without = more, without

    def _settings(self, folder):
        yield from (line for line in super()._settings(folder) if line not in self._without)
        yield from self._more


async def ask(url, username="jam", password="right", **options):
    options = {"now_s": time.time(), "timeout_s": 10.0} | options
    return await probe(IceServer(url, username, password), **options)


def steps(found):
    return tuple(map(found.passed, STEPS))


@pytest.fixture(scope="module")
def server():
    with Coturn(users=USERS) as running:
        yield running


@pytest.fixture
def trusted(server):
    return ssl.create_default_context(cafile=server.certificate_file)


# coturn


@needs_coturn
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_a_turn_server_that_works(server, trusted, transport):
    found = await ask(server.turn_url(transport), tls=trusted)
    assert (found.outcome, found.kind, found.transport) == (WORKS, "turn", transport)
    assert steps(found) == TURN_STEPS
    assert found.peer == SOCKET
    assert found.works
    assert "oturn" in found.software
    assert found.round_trips >= 5
    assert 0 < found.round_trip_s < 10
    assert 0 < found.relay_round_trip_s < 10


@needs_coturn
async def test_a_stun_server_that_works(server, trusted):
    plain = await ask(server.stun_url, None, None)
    secured = await ask(f"stuns:{HOST}:{server.tls_port}", None, None, tls=trusted)
    for found, transport in ((plain, "udp"), (secured, "tls")):
        assert (found.outcome, found.transport, found.round_trips) == (WORKS, transport, 5)
        assert steps(found) == STUN_STEPS
        assert math.isnan(found.relay_round_trip_s)


@needs_coturn
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.parametrize(("user", "password"), [("jam", "wrong"), ("eve", "right")])
async def test_wrong_credentials(server, trusted, transport, user, password):
    found = await ask(server.turn_url(transport), user, password, tls=trusted)
    assert found.outcome == Fault.WRONG_CREDENTIALS
    assert steps(found) == (True, False, None, None)
    assert found.round_trips == 2


@needs_coturn
async def test_a_certificate_that_is_not_trusted(server):
    found = await ask(server.turn_url("tls"))
    assert (found.outcome, found.detail) == (Fault.UNTRUSTED, "self-signed certificate")
    assert steps(found) == (False, None, None, None)


@needs_coturn
async def test_time_limited_credentials():
    now_s = time.time()
    with Coturn(secret="open-sesame") as server:
        for user in ("ada", ""):
            found = await ask(server.turn_url(), *time_limited("open-sesame", user, now_s))
            assert found.outcome == WORKS
        too_old = time_limited("open-sesame", "ada", now_s - LIFETIME_S - 60)
        assert (await ask(server.turn_url(), *too_old)).outcome == Fault.EXPIRED_CREDENTIALS
        of_another = time_limited("another", "ada", now_s)
        assert (await ask(server.turn_url(), *of_another)).outcome == Fault.WRONG_CREDENTIALS


@needs_coturn
@pytest.mark.slow
async def test_a_quota_of_one_is_enough_for_probes_but_not_beside_another():
    with Stricter("user-quota=1", users=USERS) as server:
        for transport in ("udp", "tcp"):
            assert (await ask(server.turn_url(transport))).outcome == WORKS
        async with open_wire(HOST, server.port, "udp", timeout_s=10.0) as wire:
            other = TurnClient(wire, Credential("jam", "right"), timeout_s=10.0)
            async with other.allocation():
                found = await ask(server.turn_url())
        assert found.outcome == Fault.QUOTA
        assert steps(found) == (True, True, False, None)


@needs_coturn
async def test_peers_that_are_denied():
    with Stricter(without=["allow-loopback-peers"], users=USERS) as server:
        found = await ask(server.turn_url())
        assert found.outcome == Fault.FORBIDDEN
        assert found.detail.startswith("403")
        assert steps(found) == (True, True, True, False)


@needs_coturn
async def test_a_coturn_that_does_no_turn():
    with Stricter("stun-only", users=USERS) as server:
        found = await ask(server.turn_url(), timeout_s=1.0)
        assert found.outcome in (Fault.NO_TURN, Fault.OTHER_ERROR)
        assert steps(found) == (True, False, None, None)


# Servers of jamlab's own, and what is none


async def test_own_servers():
    async with (
        TurnServer(HOST, 0, users=USERS, rng=random.Random(1)) as turn,
        StunServer((HOST,), 0) as stun,
    ):
        for transport in ("udp", "tcp"):
            found = await ask(f"turn:{HOST}:{turn.address[1]}?transport={transport}")
            assert (found.outcome, steps(found)) == (WORKS, TURN_STEPS)
        at = f"{HOST}:{stun.addresses[0][1]}"
        assert (await ask(f"stun:{at}", None, None)).outcome == WORKS
        assert (await ask(f"turn:{at}", timeout_s=1.0)).outcome == Fault.NO_TURN
        assert turn.core.allocations == {}


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("turn:{closed}", Fault.REFUSED),
        ("turn:{closed}?transport=tcp", Fault.REFUSED),
        ("turns:{closed}", Fault.REFUSED),
        ("stun:{closed}", Fault.REFUSED),
        ("turn:{silent}", Fault.SILENT),
        ("stun:{silent}", Fault.SILENT),
        ("turns:{silent}?transport=udp", Fault.UNSUPPORTED),
        ("turn:{silent}?transport=sctp", Fault.UNSUPPORTED),
    ],
)
async def test_what_is_not_there(url, outcome):
    with socket.socket(type=socket.SOCK_DGRAM) as silent, socket.socket() as closed:
        silent.bind((HOST, 0))
        closed.bind((HOST, 0))  # and does not listen: over UDP nothing is bound there
        named = {"silent": silent.getsockname()[1], "closed": closed.getsockname()[1]}
        at = {name: f"{HOST}:{number}" for name, number in named.items()}
        found = await ask(url.format(**at), timeout_s=0.2)
        assert found.outcome == outcome
        assert steps(found)[0] is False
        assert math.isnan(found.round_trip_s)


@pytest.mark.parametrize("url", ["turn:{}?transport=tcp", "turn:{}?transport=TCP"])
async def test_what_takes_the_connection_and_says_nothing_is_not_called_unreachable(url):
    with socket.create_server((HOST, 0)) as mute:
        found = await ask(url.format(f"{HOST}:{mute.getsockname()[1]}"), timeout_s=0.2)
    assert found.outcome == Fault.SILENT
    assert sentence(found).startswith("It accepted the connection over TCP and said nothing: ")


async def test_a_name_that_is_none():
    found = await ask("turn:turn.invalid")
    assert found.outcome in (Fault.NO_NAME, Fault.NO_RESOLVER)  # the latter without a network


# Behind simulated NATs


def from_behind(place, url, username="jam", seed=1):
    """Ask a TURN server on the simulated internet from a place."""

    async def main():
        link = LinkConfig(delay_s=0.01)
        world = internet(HostConfig("server", link), place.member("caller", link))
        with world.host("server") as host:
            server = TurnServer(host.addresses[0], 3478, users=USERS, rng=random.Random(1))
            await server.__aenter__()
        with world.host("caller"):
            found = await ask(url.format(host.addresses[0]), username, now_s=0.0, timeout_s=5.0)
        assert server.core.allocations == {}
        await server.__aexit__(None, None, None)
        return found

    with simulated_world():
        return run_simulated(main(), seed=seed)


@pytest.mark.parametrize("nat", ALL_TYPES, ids=lambda nat: nat.name if nat else "open")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_behind_any_nat_the_relay_is_found_to_relay(nat, transport):
    place = Place("open") if nat is None else Place(nat.name, ((nat,),))
    found = from_behind(place, f"turn:{{}}:3478?transport={transport}")
    assert (found.outcome, found.peer) == (WORKS, SOCKET)
    assert found.round_trip_s == pytest.approx(0.04)  # two links of 10 ms, there and back
    assert found.relay_round_trip_s == pytest.approx(0.08)


def test_where_no_udp_gets_out_two_relays_are_each_other_s_peers():
    place = Place("office", ((PORT_RESTRICTED, FirewallType(udp_blocked=True)),))
    found = from_behind(place, "turn:{}:3478?transport=tcp")
    assert (found.outcome, found.peer) == (WORKS, RELAY)
    assert from_behind(place, "turn:{}:3478").outcome == Fault.SILENT


def test_expired_credentials_are_told_by_the_time_in_the_name():
    found = from_behind(Place("open"), "turn:{}:3478", "1000000000:ada")
    assert found.outcome == Fault.WRONG_CREDENTIALS  # it is 1970 there


# The steps


@given(st.sampled_from(["stun", "turn"]), st.sampled_from(STEPS))
def test_steps_before_a_failure_were_passed_and_none_after_it(kind, failed):
    own = STEPS if kind == "turn" else STEPS[:1]
    if failed not in own:
        return
    found = ServerProbe("url", kind, TCP, str(Fault.SILENT), step=failed)
    at = own.index(failed)
    expected = [True] * at + [False] + [None] * (len(STEPS) - at - 1)
    assert list(map(found.passed, STEPS)) == expected
