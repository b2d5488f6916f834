import builtins
import sys
from types import SimpleNamespace
from unittest.mock import AsyncMock

import aioice.ice
import pytest
from aioice import Connection

from jamlab.audio.portaudio import JACK
from jamlab.browsers.installed import BrowserError
from jamlab.cli.machine import doctor
from jamlab.measure.reaches_itself import NO_LOOPBACK
from jamlab.networks.port_mapping.mapping import MappingProtocol, PortMapping
from jamlab.networks.port_mapping.trial import Trial

ROUTER = "192.168.1.1"


def found(subject):
    return [f for f in doctor.examine() if f.subject.startswith(subject)]


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(doctor, "LAG_WATCHED_S", 0.05)
    monkeypatch.setattr(doctor, "try_router", AsyncMock(return_value=Trial(ROUTER, None)))


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


@pytest.mark.parametrize(
    ("addresses", "fine"),
    [
        (["192.0.2.2"], False),
        (["192.0.2.2", "fd00::2"], False),  # unique local, RFC 4193
        (["8.8.8.8", "fe80::1%eth0"], False),
        (["192.0.2.2", "2a00:1450::2"], True),
    ],
)
def test_ipv6_is_a_global_address_that_is_not_shown(monkeypatch, addresses, fine):
    monkeypatch.setattr(doctor, "host_addresses", lambda: addresses)
    (finding,) = found("IPv6")
    assert (finding.fine, finding.essential) == (fine, False)
    assert finding.detail == f"this machine has {'a' if fine else 'no'} global IPv6 address"
    assert "without a relay" in finding.remedy


def test_a_router_that_maps_no_ports_is_no_fault_of_ours():
    (finding,) = found("port mapping")
    assert (finding.fine, finding.essential) == (False, False)
    assert finding.detail == "the router 192.168.1.1 maps no port for us"
    assert "allow UPnP" in finding.remedy


def test_a_router_that_maps_ports_is_named_with_its_protocol(monkeypatch):
    outside = ("11.0.0.1", 50_000)
    mapping = PortMapping(("192.168.1.5", 50_000), outside, 600.0, MappingProtocol.UPNP_IGD, ROUTER)
    monkeypatch.setattr(doctor, "try_router", AsyncMock(return_value=Trial(ROUTER, mapping)))
    (finding,) = found("port mapping")
    assert finding.fine
    assert finding.detail == "UPnP-IGD by the router 192.168.1.1"
    assert outside[0] not in finding.detail  # it goes into bug reports


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
    hosts = [
        {"name": name, "default_input_device": -1, "default_output_device": -1}
        for name in ("ALSA", JACK)
    ]
    return SimpleNamespace(
        get_portaudio_version=lambda: (0, "PortAudio V19"),
        query_devices=lambda: devices,
        query_hostapis=lambda: hosts,
        default=SimpleNamespace(device={"input": -1, "output": -1}),
    )


def card(index, name, host):
    channels = {"max_input_channels": 2, "max_output_channels": 4}
    return {"index": index, "name": name, "hostapi": host, **channels}


def test_a_faster_host_interface_is_named(monkeypatch):
    plug_in, jack = card(0, "pulse", 0), card(1, "system", 1)
    monkeypatch.setitem(sys.modules, "sounddevice", portaudio([plug_in, jack]))
    (finding,) = found("host interface")
    assert not finding.fine
    assert not finding.essential
    assert finding.detail.startswith("ALSA, with input 'pulse' and output 'pulse' by default")
    assert JACK in finding.remedy


def test_a_card_of_alsa_s_is_as_fast_as_jack(monkeypatch):
    hardware, jack = card(0, "USB Audio (hw:1,0)", 0), card(1, "system", 1)
    monkeypatch.setitem(sys.modules, "sounddevice", portaudio([hardware, jack]))
    (finding,) = found("host interface")
    assert finding.fine


@pytest.mark.parametrize(
    "error",
    [
        UnicodeDecodeError("utf-8", b"Caf\xe9", 3, 4, "unexpected end of data"),
        RuntimeError("PortAudio not initialized"),
    ],
)
@pytest.mark.parametrize("question", ["query_devices", "query_hostapis", "get_portaudio_version"])
def test_it_survives_whatever_portaudio_says(monkeypatch, question, error):
    def fail():
        raise error

    module = portaudio([card(0, "pulse", 0)])
    setattr(module, question, fail)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    findings = doctor.examine()
    faults = [f for f in findings if f.subject in ("PortAudio", "sound card") and not f.fine]
    assert [str(error) in fault.detail for fault in faults] == [True]
    assert not faults[0].essential
    assert findings[-1].subject == "event loop lag"


def test_it_survives_portaudio_that_does_not_start(monkeypatch):
    class Failing:
        def find_spec(self, name, *_):
            if name == "sounddevice":
                raise RuntimeError("Error initializing PortAudio")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Failing(), *sys.meta_path])
    (finding,) = found("PortAudio")
    assert (finding.fine, finding.essential) == (False, False)
    assert "Error initializing PortAudio" in finding.detail


@pytest.mark.parametrize(
    ("check", "subject", "essential"),
    [("missing", "audio system", False), ("versions", "packages", True)],
)
def test_it_survives_a_check_that_fails(monkeypatch, check, subject, essential):
    def fail():
        raise PermissionError("not allowed")

    monkeypatch.setattr(doctor, check, fail)
    findings = {finding.subject: finding for finding in doctor.examine()}
    assert findings[subject].detail == "the check failed: PermissionError: not allowed"
    assert (findings[subject].fine, findings[subject].essential) == (False, essential)
    assert findings["connection here"].fine


def test_devices_are_listed(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", portaudio([card(3, "Scarlett", 0)]))
    assert [finding.detail for finding in found("input")] == ["Scarlett, ALSA (2 channels)"]
    assert [finding.detail for finding in found("output")] == ["Scarlett, ALSA (4 channels)"]
    assert found("sound card") == []
    (finding,) = found("host interface")
    assert finding.fine
    assert finding.detail == (
        "ALSA, with input 'Scarlett' and output 'Scarlett' by default; none here is faster"
    )


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


def test_browsers_are_listed_with_what_drives_them(monkeypatch):
    there = {"firefox": "Firefox 140.1"}

    def installed(name):
        if name not in there:
            raise BrowserError(f"{name} is not installed here: apt-get install chromium")
        return SimpleNamespace(title=there[name])

    monkeypatch.setattr(doctor, "lacking", lambda: None)
    monkeypatch.setattr(doctor, "installed", installed)
    monkeypatch.setattr(doctor, "version", lambda _: "1.64.0")
    (finding,) = found("browsers")
    assert (finding.fine, finding.detail) == (True, "Firefox 140.1, Playwright 1.64.0")


@pytest.mark.parametrize(
    ("reason", "detail", "remedy"),
    [
        ("no browser here: apt-get install chromium", "no browser here", "apt-get install chr"),
        ("no Playwright: in jamlab's checkout, pip", "no Playwright", "in jamlab's checkout, pip"),
    ],
)
def test_without_browsers_it_says_how_to_install_them(monkeypatch, reason, detail, remedy):
    monkeypatch.setattr(doctor, "lacking", lambda: reason)
    (finding,) = found("browsers")
    assert (finding.fine, finding.essential, finding.detail) == (False, False, detail)
    assert finding.remedy.startswith(f"only measurements of browsers need it: {remedy}")


@pytest.mark.parametrize(
    ("reason", "library", "detail"),
    [
        (None, "libjack.so.0", "PipeWire, WirePlumber and JACK's library are available"),
        (None, None, "JACK's library is not installed"),
        (
            "no graph (PulseAudio is no help: why): apt-get install pipewire",
            None,
            "no graph (Pulse",
        ),
    ],
)
def test_the_audio_system_is_there_or_said_how_to_install(monkeypatch, reason, library, detail):
    monkeypatch.setattr(doctor, "missing", lambda: reason)
    monkeypatch.setattr(doctor, "find_library", lambda _: library)
    (finding,) = found("audio system")
    assert finding.detail.startswith(detail)
    assert finding.fine == (library is not None)
    assert finding.fine or "apt-get install pipewire" in finding.remedy
