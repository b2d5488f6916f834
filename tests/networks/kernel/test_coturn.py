"""coturn as the lab starts it, with requests by aioice and by its own clients."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from aioice import Connection, TransportPolicy

from jamlab.networks.kernel import coturn
from jamlab.networks.kernel import lab as kernel
from jamlab.networks.kernel.coturn import Coturn, CoturnError
from jamlab.networks.kernel.lab import KernelLab
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED
from jamlab.networks.model.topology import HostConfig, LanConfig, Topology
from jamlab.process.temporary_folder import sweep
from tests.leaks import DEADLINE_S

needs_coturn = pytest.mark.skipif(
    coturn.unavailable() is not None, reason=coturn.unavailable() or ""
)
needs_kernel = pytest.mark.skipif(
    kernel.unavailable() is not None, reason=kernel.unavailable() or ""
)
USERS = {"ada": "secret", "ben": "other"}


def agent(server, transport, username, password):
    return Connection(
        ice_controlling=True,
        turn_server=(server.addresses[0], server.tls_port if transport == "tls" else server.port),
        turn_username=username,
        turn_password=password,
        turn_transport="udp" if transport == "udp" else "tcp",
        turn_ssl=transport == "tls",
        transport_policy=TransportPolicy.RELAY,
        use_ipv6=False,
    )


async def relays(*agents):
    """Return the relayed addresses each agent gets."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*(one.gather_candidates() for one in agents))
        return [[c.host for c in one.local_candidates if c.type == "relay"] for one in agents]
    finally:
        await asyncio.gather(*(one.close() for one in agents))


@pytest.fixture(name="others")
def children_of_other_tests():
    """Return the processes this one has already: multiprocessing keeps one."""
    return psutil.Process().children()


@needs_coturn
async def test_allocations_over_every_transport(monkeypatch):
    with Coturn(users=USERS) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate_file))
        agents = [
            agent(server, way, *user) for way in ("udp", "tcp", "tls") for user in USERS.items()
        ]
        assert await relays(*agents) == [["127.0.0.1"]] * 6
        assert server.turn_url() == f"turn:127.0.0.1:{server.port}?transport=udp"
        assert server.turn_url("tls") == f"turns:127.0.0.1:{server.tls_port}?transport=tcp"
        assert server.stun_url == f"stun:127.0.0.1:{server.port}"
    assert server.log.count("ALLOCATE processed, success") == 6


@needs_coturn
async def test_a_wrong_password_is_in_the_log():
    with Coturn(users=USERS) as server:
        assert await relays(agent(server, "udp", "ada", "wrong")) == [[]]
        assert "credentials are incorrect" in server.log
    assert "credentials are incorrect" in server.log


def rest_credentials(secret, ends_s, name):
    """As in "A REST API For Access To TURN Services" (draft-uberti-behave-turn-rest-00)."""
    username = f"{ends_s}:{name}"
    digest = hmac.digest(secret.encode(), username.encode(), hashlib.sha1)
    return username, base64.b64encode(digest).decode()


@needs_coturn
async def test_credentials_that_are_good_for_a_time():
    now_s = int(time.time())
    with Coturn(secret="shared") as server:
        good = agent(server, "udp", *rest_credentials("shared", now_s + 3600, "ada"))
        late = agent(server, "udp", *rest_credentials("shared", now_s - 60, "ada"))
        forged = agent(server, "udp", *rest_credentials("guessed", now_s + 3600, "ada"))
        assert await relays(good, late, forged) == [["127.0.0.1"], [], []]


@needs_coturn
def test_side_by_side_and_gone_afterwards(others):
    with Coturn(users=USERS) as one, Coturn(users=USERS) as other:
        ports = {one.port, one.tls_port, other.port, other.tls_port}
        assert len(ports) == 4
        folder = one.certificate_file.parent
        running = {child.pid for child in psutil.Process().children() if child not in others}
        assert len(running) == 2
        assert not any("secret" in " ".join(psutil.Process(pid).cmdline()) for pid in running)
    assert not running & set(psutil.pids())
    assert not folder.exists()


@needs_coturn
def test_an_exception_inside_stops_it(others):
    with pytest.raises(ZeroDivisionError), Coturn() as server:
        1 / 0  # noqa: B018
    assert "TCP listener opened" in server.log
    assert psutil.Process().children() == others


@needs_coturn
def test_a_cleared_temporary_folder_costs_its_log_only(others):
    with Coturn() as server:
        known = server.log
        shutil.rmtree(server.certificate_file.parent)
    assert server.log == known
    assert "TCP listener opened" in known
    assert psutil.Process().children() == others


@needs_coturn
def test_it_dies_with_its_owner():
    """A process that is killed cannot stop what it started."""
    code = (
        "import signal\n"
        "from jamlab.networks.kernel.coturn import Coturn\n"
        "with Coturn() as server:\n"
        "    print(server.certificate_file.parent, flush=True)\n"
        "    signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as owner:
        folder = Path(owner.stdout.readline().decode().strip())
        assert (folder / "key.pem").exists()
        (child,) = psutil.Process(owner.pid).children()
        os.kill(owner.pid, signal.SIGKILL)
        psutil.wait_procs([child], timeout=DEADLINE_S)
        assert not child.is_running()
        owner.wait()
    sweep()
    assert not folder.exists()


def test_one_that_ends_says_why(monkeypatch, tmp_path):
    fake = tmp_path / "turnserver"
    fake.write_text("#!/bin/sh\necho no such thing\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(CoturnError, match="coturn ended with status 3: no such thing"), Coturn():
        pass


@needs_coturn
def test_one_that_does_not_answer_is_given_up(monkeypatch, others):
    """Its ports are taken, and it tries again and again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setattr(coturn, "free_ports", lambda *_: (port, port))
        monkeypatch.setattr(coturn, "DEADLINE_S", 0.5)
        with pytest.raises(CoturnError, match=r"coturn did not answer within 0.5 s: .*"), Coturn():
            pass
    assert psutil.Process().children() == others


@pytest.mark.parametrize(
    "options",
    [
        {"users": {"ada\nno-auth": "secret"}},
        {"users": {"ada": "sec ret"}},
        {"users": {"": "secret"}},
        {"secret": "a#b"},
        {"realm": "a:b"},
    ],
)
def test_what_could_not_stand_in_its_settings(options):
    with pytest.raises(ValueError, match=r"of coturn is .*: use a word"):
        Coturn(**options)


def test_without_coturn(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CoturnError, match="apt-get install -y coturn"), Coturn():
        pass


@pytest.mark.slow
@needs_coturn
@needs_kernel
def test_on_hosts_of_a_lab():
    """coturn's own client behind a NAT allocates, and sends itself something through the relay."""
    ada = LanConfig("home", (HostConfig("ada"),), (PORT_RESTRICTED,))
    world = Topology((HostConfig("one"), HostConfig("two", addresses=2), ada))
    with contextlib.ExitStack() as stack:
        lab = stack.enter_context(KernelLab(world))
        hosts = [lab.host(name) for name in ("one", "two")]
        servers = [stack.enter_context(Coturn(host, users=USERS)) for host in hosts]
        assert [server.addresses for server in servers] == [host.addresses for host in hosts]
        clients = [stack.enter_context(uclient(lab.host("ada"), server)) for server in servers]
        for client, server in zip(clients, servers, strict=True):
            printed, _ = client.communicate(timeout=DEADLINE_S)
            assert "Total lost packets 0 (0.000000%)" in printed
            assert "ALLOCATE processed, success" in server.log


def uclient(host, server):
    flags = ["-y", "-c", "-n", "2", "-m", "1", "-u", "ada", "-w", "secret", "-p", str(server.port)]
    command = host.command("turnutils_uclient", *flags, server.addresses[0])
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
