"""The client against jamlab's own server and against servers that misbehave, on virtual time."""

import asyncio
import contextlib
import hashlib
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.packet import TCP, UDP
from jamlab.networks.model.topology import HostConfig
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.networks.stun.server import StunServer
from jamlab.networks.turn.client import Credential, Relay, TurnClient
from jamlab.networks.turn.fault import Fault, ServerFaultError
from jamlab.networks.turn.server import TurnServer
from jamlab.networks.turn.wire import open_wire
from tests.examples import examples
from tests.networks.simulated.internets import internet, port
from tests.networks.turn import independent_client as raw

PORT = 3478
DELAY_S = 0.01
ADA = Credential("ada", "secret")
USERS = {"ada": "secret"}


def simulated(main, seed=1):
    """Run a test with two hosts, ``server`` and ``client``, a hundredth of a second apart."""

    async def run():
        link = LinkConfig(delay_s=DELAY_S / 2)
        await main(internet(HostConfig("server", link), HostConfig("client", link)))

    with simulated_world():
        run_simulated(run(), seed=seed)


@contextlib.asynccontextmanager
async def turn_server(world, **options):
    with world.host("server") as host:
        server = TurnServer(host.addresses[0], PORT, users=USERS, rng=random.Random(1), **options)
        await server.__aenter__()
    try:
        yield server
    finally:
        await server.__aexit__(None, None, None)


@contextlib.asynccontextmanager
async def asking(world, credential=ADA, transport=UDP, timeout_s=5.0):
    with world.host("client"):
        opening = open_wire(world.host("server").addresses[0], PORT, transport, timeout_s=timeout_s)
        async with opening as wire:
            yield TurnClient(wire, credential, timeout_s=timeout_s)


async def fault(asked):
    with pytest.raises(ServerFaultError) as caught:
        await asked
    return caught.value


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_a_relay_is_had_used_and_given_up(transport):
    async def main(world):
        async with turn_server(world) as server, asking(world, transport=transport) as client:
            peer = await port(world.host("server"), answer=lambda data: data[::-1])
            assert not client.is_authenticated
            async with client.allocation() as relay:
                assert client.is_authenticated
                (held,) = server.core.allocations.values()
                assert held.relayed == relay.relayed
                assert relay.mapped[0] == world.host("client").addresses[0] == client.local_host
                await client.permit(peer.address)
                client.send(b"there and back", peer.address)
                assert await client.receive() == (b"kcab dna ereht", peer.address)
            assert server.core.allocations == {}
            assert server.counters.refused == {401: 1}

    simulated(main)


def test_round_trips_are_those_of_the_network():
    async def main(world):
        async with turn_server(world), asking(world) as client:
            for _ in range(3):
                await client.bind()
            assert client.round_trips_s == pytest.approx([2 * DELAY_S] * 3)

    simulated(main)


def test_a_request_that_was_lost_is_sent_again_and_is_no_round_trip():
    async def main(world):
        heard = []

        def answer(data):
            heard.append(data)
            lost = len(heard) < 3
            mapped = (raw.XOR_MAPPED_ADDRESS, raw.xor_address(("192.0.2.1", 7)))
            tid = data[8:20]
            return b"" if lost else raw.message(raw.BINDING, raw.SUCCESS, [mapped], tid=tid)

        await port(world.host("server"), PORT, answer)
        async with asking(world) as client:
            began_s = asyncio.get_running_loop().time()
            assert await client.bind() == ("192.0.2.1", 7)
            waited_s = asyncio.get_running_loop().time() - began_s
            assert waited_s == pytest.approx(0.5 + 1.0 + 2 * DELAY_S)  # RFC 8489, section 6.2.1
            assert len(set(heard)) == 1
            assert client.round_trips_s == []

    simulated(main)


@pytest.mark.parametrize(
    ("credential", "seen"),
    [
        (Credential("ada", "wrong"), Fault.WRONG_CREDENTIALS),
        (Credential("eve", "secret"), Fault.WRONG_CREDENTIALS),
        (None, Fault.OTHER_ERROR),
    ],
)
@pytest.mark.parametrize("transport", [UDP, TCP])
def test_who_may_not(credential, seen, transport):
    async def main(world):
        async with turn_server(world) as server, asking(world, credential, transport) as client:
            found = await fault(client.allocate())
            assert (found.fault, found.detail) == (seen, "401 Unauthenticated")
            assert not client.is_authenticated
            assert server.core.allocations == {}

    simulated(main)


def test_a_new_nonce_is_taken():
    async def main(world):
        async with turn_server(world, nonce_lifetime_s=1.0) as server, asking(world) as client:
            async with client.allocation():
                for _ in range(3):
                    await asyncio.sleep(2.0)
                    await client.refresh()
            assert server.counters.refused == {401: 1, 438: 3}

    simulated(main)


def test_a_quota_that_is_used_up():
    async def main(world):
        async with (
            turn_server(world, quota=1),
            asking(world) as first,
            asking(world) as second,
            first.allocation(),
        ):
            found = await fault(second.allocation().__aenter__())
            assert (found.fault, found.detail) == (Fault.QUOTA, "486 Allocation Quota Reached")
            assert second.is_authenticated

    simulated(main)


def test_a_relay_given_up_a_moment_ago_is_waited_for():
    async def main(world):
        async with turn_server(world, quota=1), asking(world) as first, asking(world) as second:
            holding = first.allocation()
            await holding.__aenter__()
            loop = asyncio.get_running_loop()
            loop.call_later(1.5, lambda: asyncio.ensure_future(holding.__aexit__(None, None, None)))
            async with second.allocation() as relay:
                assert relay.relayed[1] > 0

    simulated(main)


def test_silence():
    async def main(world):
        await port(world.host("server"), PORT)
        async with asking(world, timeout_s=3.0) as client:
            began_s = asyncio.get_running_loop().time()
            assert (await fault(client.bind())).fault is Fault.SILENT
            assert asyncio.get_running_loop().time() - began_s == pytest.approx(3.0)

    simulated(main)


def test_a_stun_server_does_not_allocate():
    async def main(world):
        with world.host("server") as host:
            server = StunServer(host.addresses, PORT)
            await server.__aenter__()
        async with asking(world) as client:
            assert (await fault(client.allocate())).fault is Fault.SILENT
            await client.bind()
        await server.__aexit__(None, None, None)

    simulated(main)


def scripted(*answers):
    """Answer requests one after the other by `answer(tid)`; the last one answers all others."""
    left = list(answers)

    def answer(data):
        made = left.pop(0) if len(left) > 1 else left[0]
        return made(data[8:20])

    return answer


def challenge(tid):
    code = (raw.ERROR_CODE, b"\0\0\4\1Unauthenticated")
    realm, nonce = (raw.REALM, b"lab"), (raw.NONCE, b"n")
    return raw.message(raw.ALLOCATE, raw.ERROR, [code, realm, nonce], tid=tid)


def granted(key=None, *, mapped=True):
    told = [(raw.XOR_RELAYED_ADDRESS, raw.xor_address(("192.0.2.1", 7))), raw.lifetime(60)]
    told += [(raw.XOR_MAPPED_ADDRESS, raw.xor_address(("192.0.2.2", 8)))] if mapped else []
    return lambda tid: raw.message(raw.ALLOCATE, raw.SUCCESS, told, tid=tid, key=key)


KEY = hashlib.md5(b"ada:lab:secret").digest()


@pytest.mark.parametrize(
    ("answers", "seen"),
    [
        ([challenge, granted(KEY)], None),
        ([granted()], None),  # it asks nobody for credentials
        ([challenge, granted()], Fault.UNUSABLE),
        ([challenge, granted(hashlib.md5(b"another").digest())], Fault.UNUSABLE),
        ([challenge, granted(KEY, mapped=False)], Fault.UNUSABLE),
        ([challenge, challenge], Fault.WRONG_CREDENTIALS),
        ([lambda tid: granted()(tid[::-1])], Fault.UNUSABLE),  # of another transaction
        ([lambda _: b"HTTP/1.1 400 Bad Request"], Fault.NOT_STUN),
    ],
)
def test_answers_right_and_wrong(answers, seen):
    async def main(world):
        await port(world.host("server"), PORT, scripted(*answers))
        async with asking(world) as client:
            if seen is None:
                assert await client.allocate() == Relay(("192.0.2.1", 7), ("192.0.2.2", 8))
            else:
                assert (await fault(client.allocate())).fault is seen

    simulated(main)


BYTES = st.binary(max_size=80)
ATTRIBUTES = st.lists(st.tuples(st.integers(0, 0xFFFF), BYTES), max_size=4)
KINDS = st.sampled_from([raw.REQUEST, raw.INDICATION, raw.SUCCESS, raw.ERROR])
METHODS = st.sampled_from([raw.BINDING, raw.ALLOCATE, raw.DATA, raw.SEND])


@examples(150)
@given(BYTES, ATTRIBUTES, METHODS, KINDS, st.booleans())
@example(b"", [(raw.ERROR_CODE, b"\0\0\7\xff\xff")], raw.BINDING, raw.ERROR, True)
def test_whatever_answers_it_ends_in_a_sentence(data, attributes, method, kind, is_message):
    """Neither bytes nor messages of any kind raise anything else, or keep it for ever."""

    def answer(tid):
        return raw.message(method, kind, attributes, tid=tid) if is_message else data

    async def main(world):
        await port(world.host("server"), PORT, scripted(answer))
        async with asking(world, timeout_s=1.0) as client:
            for ask in (client.bind, client.allocate):
                with contextlib.suppress(ServerFaultError):
                    await ask()

    simulated(main)


def test_a_credential_is_not_shown():
    assert "secret" not in repr(ADA)
