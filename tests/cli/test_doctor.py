import builtins
import sys
from types import SimpleNamespace
from unittest.mock import AsyncMock

import aioice.ice
import pytest
from aioice import Connection

from jamlab.cli import doctor
from jamlab.measure.reaches_itself import NO_LOOPBACK


def found(subject):
    return [f for f in doctor.examine() if f.subject.startswith(subject)]


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(doctor, "LAG_WATCHED_S", 0.05)


def test_what_runs_the_tests_is_fine():
    essentials = [f for f in doctor.examine() if f.essential]
    assert {"jamlab", "aiortc", "libopus", "connection here", "notebook kernel"} <= {
        f.subject for f in essentials
    }
    assert [f for f in essentials if not f.fine] == []


def test_it_connects_two_participants():
    (finding,) = found("connection here")
    assert finding.fine
    assert "two peer connections connected in" in finding.detail


def test_without_a_network_it_says_that_they_connected_on_the_loopback(monkeypatch):
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [])
    (finding,) = found("connection here")
    assert finding.fine
    assert finding.detail.endswith("over the loopback: this machine has no other network")


def test_where_a_datagram_arrives_but_nobody_connects_it_says_so(monkeypatch):
    """What was tested before, a datagram to ourselves, is no proof of a connection."""
    monkeypatch.setattr(Connection, "gather_candidates", AsyncMock())
    (finding,) = found("connection here")
    assert not finding.fine
    assert finding.essential
    assert finding.remedy


def test_without_a_loopback_it_says_how_to_bring_it_up(monkeypatch):
    monkeypatch.setattr(doctor, "unreachable", lambda: NO_LOOPBACK)
    (finding,) = found("connection here")
    assert (finding.fine, finding.essential) == (False, True)
    assert finding.remedy == NO_LOOPBACK.remedy


def test_without_portaudio_it_says_how_to_install_it(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    (finding,) = found("PortAudio")
    assert not finding.fine
    assert not finding.essential
    assert "apt-get install libportaudio2" in finding.remedy


def portaudio(devices):
    return SimpleNamespace(
        get_portaudio_version=lambda: (0, "PortAudio V19"), query_devices=lambda: devices
    )


def test_devices_are_listed(monkeypatch):
    device = {"index": 3, "name": "Scarlett", "max_input_channels": 2, "max_output_channels": 4}
    monkeypatch.setitem(sys.modules, "sounddevice", portaudio([device]))
    (finding,) = found("device 3")
    assert finding.detail == "Scarlett (2 in, 4 out)"
    assert found("sound card") == []


def test_portaudio_without_a_device_points_to_the_virtual_card(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", portaudio([]))
    (finding,) = found("sound card")
    assert "virtual" in finding.remedy


def test_a_missing_package_is_essential_and_named(monkeypatch):
    monkeypatch.setattr(doctor, "versions", lambda: {"aiortc": "not installed"})
    (finding,) = found("aiortc")
    assert (finding.fine, finding.essential) == (False, True)
    assert finding.remedy == "pip install aiortc"


@pytest.mark.parametrize(("allowed", "word"), [(True, "allowed"), (False, "more underruns")])
def test_real_time_priority_is_asked_for_and_given_back(monkeypatch, allowed, word):
    class System:
        def __init__(self):
            self.asked = []

        def ask(self):
            self.asked.append("asked")
            return allowed

        def give_back(self):
            self.asked.append("given back")

    system = System()
    monkeypatch.setattr(doctor, "RealTime", lambda: system)
    monkeypatch.setattr(sys, "platform", "linux")
    (finding,) = found("real-time priority")
    assert system.asked == ["asked", "given back"]
    assert finding.fine is allowed
    assert not finding.essential
    assert word in finding.detail
    assert "audio" in finding.remedy


def test_other_systems_have_no_real_time_priority_to_ask_for(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert found("real-time priority") == []


def test_lag_is_read_on_the_measuring_loop():
    (finding,) = found("event loop lag")
    assert "median" in finding.detail
    assert "p99" in finding.detail


def test_without_nftables_it_says_how_to_install_them(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    (finding,) = found("network lab")
    assert not finding.fine
    assert not finding.essential
    assert "nft" in finding.detail
    assert "apt-get install -y iproute2 nftables conntrack" in finding.remedy


def test_with_all_a_lab_needs(monkeypatch):
    for room in (doctor.kernel, doctor.coturn):
        monkeypatch.setattr(room, "unavailable", lambda: None)
    monkeypatch.setattr(doctor, "why_no_tun", lambda: None)
    (finding,) = found("network lab")
    assert finding.fine


def test_without_tun_devices_a_lab_has_no_links(monkeypatch):
    monkeypatch.setattr(doctor.kernel, "unavailable", lambda: None)
    monkeypatch.setattr(doctor, "why_no_tun", lambda: "there are no devices: modprobe tun")
    (finding,) = found("network lab")
    assert not finding.fine
    assert finding.detail == "there are no devices"
    assert finding.remedy.endswith("modprobe tun")
