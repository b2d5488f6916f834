import asyncio
import json
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.port_mapping import default_route as module
from jamlab.networks.port_mapping.default_route import (
    default_route,
    linux_router,
    macos_router,
    windows_router,
)
from jamlab.networks.port_mapping.mapping import Route
from tests.examples import examples

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"


def line(interface, destination, gateway, flags, metric, mask):
    return f"{interface}\t{destination}\t{gateway}\t{flags}\t0\t0\t{metric}\t{mask}\t0\t0\t0\n"


@pytest.mark.skipif(sys.byteorder != "little", reason="the tables here are of a PC")
def test_linux():
    """192.168.1.1 is 0101A8C0 in the kernel's table; the lower metric wins."""
    table = (
        HEAD
        + line("wlan0", "00000000", "0102A8C0", "0003", 600, "00000000")
        + line("eth0", "00000000", "0101A8C0", "0003", 100, "00000000")
        + line("eth0", "0001A8C0", "00000000", "0001", 100, "00FFFFFF")
    )
    assert linux_router(table) == "192.168.1.1"


@pytest.mark.parametrize(
    "table",
    [
        "",
        HEAD,
        HEAD + line("tun0", "00000000", "00000000", "0001", 50, "00000000"),  # no router
        HEAD + line("tun0", "00000000", "0100000A", "0003", 50, "00000080"),  # 0.0.0.0/1
    ],
)
def test_linux_without_a_router(table):
    assert linux_router(table) is None


def test_macos():
    output = (
        "   route to: default\ndestination: default\n       mask: default\n"
        "    gateway: 192.168.1.1\n  interface: en0\n      flags: <UP,GATEWAY,DONE,STATIC>\n"
    )
    assert macos_router(output) == "192.168.1.1"
    assert macos_router("    gateway: link#12\n") is None
    assert macos_router("route: writing to routing socket: not in table\n") is None


def test_windows():
    output = (
        "IPv4 Route Table\r\nActive Routes:\r\n"
        "Network Destination        Netmask          Gateway       Interface  Metric\r\n"
        "          0.0.0.0          0.0.0.0      192.168.2.1     192.168.2.34     55\r\n"
        "          0.0.0.0          0.0.0.0      192.168.1.1     192.168.1.34     25\r\n"
        "        127.0.0.0        255.0.0.0         On-link         127.0.0.1    331\r\n"
    )
    assert windows_router(output) == "192.168.1.1"
    assert windows_router("  0.0.0.0  0.0.0.0  On-link  10.8.0.2  25\r\n") is None


@examples(300)
@given(st.text(), st.sampled_from([linux_router, macos_router, windows_router]))
def test_foreign_words_are_no_router(text, read):
    assert read(text) is None


@pytest.mark.skipif(shutil.which("ip") is None, reason="ip not found: apt-get install -y iproute2")
def test_it_agrees_with_ip():
    listed = subprocess.run(
        ["ip", "-4", "-json", "route", "show", "default"], capture_output=True, check=True
    )
    routers = {entry["gateway"] for entry in json.loads(listed.stdout) if "gateway" in entry}
    found = asyncio.run(default_route())
    assert {found.router} <= routers if found else routers == set()


async def test_our_address_is_the_one_towards_the_router(monkeypatch):
    monkeypatch.setattr(module, "_linux", lambda: "127.0.0.9")
    monkeypatch.setattr(module.sys, "platform", "linux")
    assert await default_route() == Route("127.0.0.9", "127.0.0.1")


@pytest.mark.parametrize(
    ("platform", "output"),
    [
        ("darwin", b"    gateway: 127.0.0.9\n"),
        ("win32", b"  0.0.0.0  0.0.0.0  127.0.0.9  127.0.0.1  25\r\n"),
    ],
)
def test_elsewhere_a_command_is_asked(monkeypatch, platform, output):
    asked = []

    def run(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, output, b"")

    monkeypatch.setattr(module.subprocess, "run", run)
    monkeypatch.setattr(module.sys, "platform", platform)
    assert asyncio.run(default_route()) == Route("127.0.0.9", "127.0.0.1")
    assert asked[0][0] == "route"


def test_without_the_command_or_on_another_system_there_is_none(monkeypatch):
    def run(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(module.subprocess, "run", run)
    for platform in ("darwin", "sunos5"):
        monkeypatch.setattr(module.sys, "platform", platform)
        assert asyncio.run(default_route()) is None
