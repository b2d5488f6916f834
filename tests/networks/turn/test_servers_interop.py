"""The servers with third-party clients: aioice's ICE agent and coturn's command-line clients."""

import asyncio
import random
import re
import shutil

import pytest
from aioice import Connection, TransportPolicy

from jamlab.networks.stun.server import StunServer
from jamlab.networks.turn.server import TurnServer
from tests.leaks import DEADLINE_S, until

pytestmark = pytest.mark.usefixtures("nothing_left")
HOST, SECOND = "127.0.0.1", "127.0.0.2"
coturn = pytest.mark.skipif(
    shutil.which("turnutils_uclient") is None,
    reason="coturn's clients are missing: apt-get install -y coturn",
)


def turn_server(**options):
    return TurnServer(HOST, 0, users={"ada": "secret"}, rng=random.Random(1), **options)


# aioice


def agent(controlling, server, transport, password="secret"):
    return Connection(
        ice_controlling=controlling,
        turn_server=server.address,
        turn_username="ada",
        turn_password=password,
        turn_transport=transport,
        transport_policy=TransportPolicy.RELAY,
        use_ipv6=False,
    )


async def tell(one, other):
    for candidate in one.local_candidates:
        await other.add_remote_candidate(candidate)
    await other.add_remote_candidate(None)
    other.remote_username, other.remote_password = one.local_username, one.local_password


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_aioice_connects_through_two_relays(transport):
    async with turn_server() as server:
        ada, ben = agent(True, server, transport), agent(False, server, transport)
        await asyncio.gather(ada.gather_candidates(), ben.gather_candidates())
        assert [a.type for a in ada.local_candidates + ben.local_candidates] == ["relay"] * 2
        await tell(ada, ben)
        await tell(ben, ada)
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(ada.connect(), ben.connect())
            for size in (1, 2, 3, 4, 1200):
                await ada.send(b"a" * size)
                assert await ben.recv() == b"a" * size
                await ben.send(b"b" * size)
                assert await ada.recv() == b"b" * size
        await asyncio.gather(ada.close(), ben.close())
        await until(lambda: server.core.allocations == {})
        assert server.counters.refused == {401: 2}
        assert server.counters.malformed == server.counters.discarded == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_aioice_with_a_wrong_password(transport):
    async with turn_server() as server:
        eve = agent(True, server, transport, password="wrong")
        await eve.gather_candidates()
        assert eve.local_candidates == []
        assert server.counters.refused == {401: 2}
        await eve.close()


@pytest.mark.parametrize("hosts", [(HOST,), (HOST, SECOND)])
async def test_aioice_asks_for_its_address(hosts):
    async with StunServer(hosts, port=0) as server:
        ada = Connection(ice_controlling=True, stun_server=server.addresses[0], use_ipv6=False)
        await ada.gather_candidates()
        assert server.counters.answered == server.counters.received > 0
        await ada.close()
    # aioice looks the server's name up on a thread of the loop's
    await asyncio.get_running_loop().shutdown_default_executor()


# coturn


async def run(program, *arguments, code=0):
    """Run a program and return what it printed; it is stopped at the deadline."""
    process = await asyncio.create_subprocess_exec(
        program,
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = printed.decode()
    assert process.returncode == code, text
    return text


async def uclient(*flags, password="secret", code=0):
    """Let coturn's client send four messages each way between two allocations of a server's."""
    async with turn_server() as server:
        host, port = server.address
        arguments = [*flags, "-y", "-c", "-n", 4, "-m", 1, "-u", "ada", "-w", password]
        printed = await run("turnutils_uclient", *arguments, "-p", port, host, code=code)
        return server.counters, printed


@pytest.mark.slow
@coturn
async def test_uclient():
    """Channels and Send indications, over UDP and TCP, all at once as each takes seconds."""
    runs = await asyncio.gather(*map(uclient, ("-v", "-s", "-t", "-ts", "-G")))
    for counters, printed in runs:
        sent, received = map(int, re.findall(r"tot_(?:send|recv)_msgs=(\d+)", printed)[-2:])
        assert sent == received >= 8
        assert "Total lost packets 0 (0.000000%)" in printed
        assert counters.relayed_to_peers >= sent
        assert counters.malformed == 0
        assert set(counters.refused) <= {401, 443}  # with -G it asks for IPv6 peers, too


@coturn
@pytest.mark.parametrize("flag", ["-v", "-vt"])
async def test_uclient_with_a_wrong_password(flag):
    """Each of its requests is answered, so it gives up at once instead of asking again."""
    counters, printed = await uclient(flag, password="wrong", code=255)
    assert "ERROR: Cannot complete Allocation" in printed
    assert counters.refused == {401: printed.count("allocate sent")}


@coturn
async def test_stunclient():
    async with StunServer(port=0) as server:
        host, port = server.addresses[0]
        printed = await run("turnutils_stunclient", "-p", port, host)
        assert f"UDP reflexive addr: {HOST}:" in printed
        assert "Other addr" not in printed


@coturn
async def test_stunclient_with_two_hosts():
    """It asks for change of both, for another port of its own, and for padding."""
    async with StunServer((HOST, SECOND), port=0) as server:
        host, port = server.addresses[0]
        alternate = server.addresses[-1]
        printed = await run("turnutils_stunclient", "-p", port, host)
        assert "RFC 5780 response 3" in printed
        assert printed.count(f"Response origin: : {alternate[0]}:{alternate[1]}") >= 2
        assert server.counters.refused == 0


@coturn
@pytest.mark.parametrize("padding", [[], ["-P"]])
async def test_natdiscovery(padding):
    """There is no NAT between two sockets of one machine, and coturn's client has to find that."""
    async with StunServer((HOST, SECOND), port=0) as server:
        host, port = server.addresses[0]
        printed = await run(
            "turnutils_natdiscovery", "-m", "-f", *padding, "-L", HOST, "-p", port, host
        )
        alternate = server.addresses[-1]
        assert f"Other addr: : {alternate[0]}:{alternate[1]}" in printed
        assert "Endpoint Independent Filtering" in printed
        assert re.search(r"No NAT|Endpoint Independent Mapping", printed)
        assert server.counters.refused == 0


@coturn
async def test_natdiscovery_with_one_host():
    """Without OTHER-ADDRESS it cannot go on, and says nothing of the NAT."""
    async with StunServer(port=0) as server:
        host, port = server.addresses[0]
        printed = await run("turnutils_natdiscovery", "-m", "-f", "-p", port, host)
        assert "UDP reflexive addr" in printed
        assert "Endpoint" not in printed
