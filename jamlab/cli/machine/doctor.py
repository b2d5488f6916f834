"""``jamlab doctor``: a check of everything that jamlab needs on this machine.

Run it first when something does not work, and add its output to a bug report.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator
from ctypes.util import find_library
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from ipaddress import ip_address

from jamlab.audio.portaudio import (
    PORTAUDIO_REMEDY,
    DeviceError,
    better_host,
    devices,
    pair_named,
    portaudio,
)
from jamlab.audio_graph.graph import INSTALL, missing
from jamlab.browsers.installed import NAMES, BrowserError, installed
from jamlab.browsers.launch import lacking
from jamlab.measure.connectivity.connects_here import connect_here, obstacle_of
from jamlab.measure.digits import plain
from jamlab.measure.loop_lag import LagProbe, LoopLag
from jamlab.measure.provenance import machine, versions
from jamlab.measure.reaches_itself import unreachable
from jamlab.media.host_candidates import host_addresses, loopback_addresses
from jamlab.networks.kernel import coturn
from jamlab.networks.kernel import lab as kernel
from jamlab.networks.kernel.tun import why_no_tun
from jamlab.networks.port_mapping.trial import try_router
from jamlab.process.precise_loop import run_precisely
from jamlab.process.real_time import ALLOWANCE, RealTime

LAG_WATCHED_S = 1.0
BUSY_LAG_MS = 2.0
"""99th percentile of lag above which cards with short blocks will have underruns."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    subject: str
    fine: bool
    detail: str
    remedy: str = ""
    essential: bool = True
    """Whether jamlab cannot work without it."""


def examine() -> list[Finding]:
    """Make all checks; takes some seconds, for the loop's lag, a connection and the router."""
    checks: dict[str, Callable[[], Finding | Iterable[Finding]]] = {
        "event loop lag": _loop,
        "connection here": _connection,
        "IPv6": _ipv6,
        "port mapping": _port_mapping,
        "packages": _software,
        "notebook kernel": _kernel,
        "PortAudio": _portaudio,
        "real-time priority": _realtime,
        "network lab": _lab,
        "browsers": _browsers,
        "audio system": _audio_system,
    }
    found = {subject: _survived(subject, check) for subject, check in checks.items()}
    return [finding for subject in _ORDER for finding in found[subject]]


_ORDER = (
    "packages",
    "notebook kernel",
    "connection here",
    "IPv6",
    "port mapping",
    "PortAudio",
    "real-time priority",
    "network lab",
    "browsers",
    "audio system",
    "event loop lag",
)
"""The order on the screen; the lag is measured first, on a machine that is at rest."""
_ESSENTIAL = "packages", "notebook kernel", "connection here"


def _survived(subject: str, check: Callable[[], Finding | Iterable[Finding]]) -> list[Finding]:
    """Return what a check finds, or that it failed: the doctor survives what it is to diagnose."""
    found: list[Finding] = []
    try:
        result = check()
        for finding in [result] if isinstance(result, Finding) else result:
            found.append(finding)  # one by one, because a later one may fail
    except Exception as error:
        detail = f"the check failed: {type(error).__name__}: {error}"
        remedy = "add this line to a bug report"
        found.append(Finding(subject, False, detail, remedy, essential=subject in _ESSENTIAL))
    return found


def _software() -> Iterator[Finding]:
    described = ", ".join(f"{name} {value}" for name, value in machine().items())
    yield Finding("machine", True, described)
    for name, number in versions().items():
        yield Finding(name, number != "not installed", number, f"pip install {name}")


def _kernel() -> Finding:
    fine = find_spec("ipykernel") is not None
    return Finding(
        "notebook kernel", fine, "ipykernel" if fine else "missing", "pip install ipykernel"
    )


def _connection() -> Finding:
    """Check that two participants on this machine can connect."""
    subject = "connection here"
    obstacle = unreachable()
    if obstacle is None:
        made = run_precisely(connect_here())
        obstacle = obstacle_of(made)
    if obstacle is not None:
        return Finding(subject, False, obstacle.reason, obstacle.remedy)
    detail = f"two peer connections connected in {plain(1000 * made.time_to_connect_s, 'ms')}"
    if host_addresses() == loopback_addresses():
        detail += " over the loopback: this machine has no other network"
    return Finding(subject, True, detail)


def _ipv6() -> Finding:
    """Look for a global IPv6 address, which is not shown: findings go into bug reports."""
    addresses = [ip_address(address) for address in host_addresses()]
    has_one = any(address.version == 6 and address.is_global for address in addresses)
    detail = f"this machine has {'a' if has_one else 'no'} global IPv6 address"
    remedy = (
        "more peers are reached without a relay over IPv6: switch it on in the router's settings, "
        "or ask the internet provider for it"
    )
    return Finding("IPv6", has_one, detail, remedy, essential=False)


def _port_mapping() -> Finding:
    """Check that the router maps a port for us; it is mapped for a moment only."""
    trial = run_precisely(try_router())
    remedy = (
        "more peers are reached without a relay if it does: allow UPnP, NAT-PMP or PCP in the "
        "router's settings"
    )
    return Finding("port mapping", trial.mapping is not None, str(trial), remedy, essential=False)


def _portaudio() -> Iterator[Finding]:
    """Check PortAudio, list its devices, and say by which host interface they are used."""
    try:
        sounddevice = portaudio()
    except DeviceError as error:
        remedy = f"only real sound cards need it: {PORTAUDIO_REMEDY}"
        detail = str(error.__cause__ or error)
        yield Finding("PortAudio", False, detail, remedy, essential=False)
        return
    yield Finding("PortAudio", True, sounddevice.get_portaudio_version()[1])
    try:
        known = [*devices("input"), *devices("output")]
    except DeviceError as error:
        remedy = "restart the sound system, or use the virtual card, which is the default"
        yield Finding("sound card", False, str(error), remedy, essential=False)
        return
    for device in known:
        channels = f"{device.channels} channel{'s' if device.channels > 1 else ''}"
        yield Finding(device.direction, True, f"{device.title} ({channels})")
    if not known:
        remedy = "plug in a sound card, or use the virtual one, which is the default"
        yield Finding("sound card", False, "PortAudio finds none", remedy, essential=False)
        return
    yield _host_interface()


def _host_interface() -> Finding:
    """Say by which host interface the default card is used, and whether a faster one is there."""
    subject = "host interface"
    try:
        source, output = pair_named(None, None)
    except DeviceError as error:
        remedy = "choose devices with --input and --output"
        return Finding(subject, False, str(error), remedy, essential=False)
    detail = f"{output.host}, with input {source.name!r} and output {output.name!r} by default"
    better = better_host(output)
    if better is None:
        return Finding(subject, True, f"{detail}; none here is faster")
    remedy = f"choose devices of {better} with --input and --output: measure by jamlab latency"
    return Finding(subject, False, f"{detail}; {better} is here too and faster", remedy, False)


def _realtime() -> Iterator[Finding]:
    """Check that a real-time priority is allowed, as a session with a real sound card asks for."""
    if sys.platform != "linux":
        return
    realtime = RealTime()
    allowed = realtime.ask()
    realtime.give_back()
    detail = "allowed" if allowed else "not allowed: a real sound card will have more underruns"
    yield Finding("real-time priority", allowed, detail, ALLOWANCE, essential=False)


def _lab() -> Finding:
    """Check what measurements on this machine's kernel need."""
    reason = kernel.unavailable() or why_no_tun() or coturn.unavailable()
    if reason is None:
        return Finding("network lab", True, "namespaces, nftables and coturn are available")
    detail, _, remedy = reason.partition(": ")
    remedy = f"only measurements on this machine's kernel need it: {remedy}"
    return Finding("network lab", False, detail, remedy, essential=False)


def _browsers() -> Finding:
    """Look for the browsers that can be measured, and for Playwright."""
    reason = lacking()
    if reason is None:
        found = (_title(name) for name in NAMES)
        driver = f"Playwright {version('playwright')}"
        return Finding("browsers", True, ", ".join([*filter(None, found), driver]))
    detail, _, remedy = reason.partition(": ")
    remedy = f"only measurements of browsers need it: {remedy}"
    return Finding("browsers", False, detail, remedy, essential=False)


def _title(name: str) -> str:
    """Return a browser's name and version; "" when it cannot be driven here."""
    try:
        return installed(name).title
    except BrowserError:
        return ""


def _audio_system() -> Finding:
    """Look for the programs of a private audio graph, for measurements from mouth to ear."""
    reason = missing()
    if reason is None and find_library("jack") is None:
        reason = f"JACK's library is not installed: {INSTALL}"
    if reason is None:
        detail = "PipeWire, WirePlumber and JACK's library are available"
        return Finding("audio system", True, detail)
    detail, _, remedy = reason.rpartition(": ")
    remedy = f"only measurements from mouth to ear in browsers need it: {remedy}"
    return Finding("audio system", False, detail, remedy, essential=False)


async def _watch_lag() -> LoopLag:
    with LagProbe() as probe:
        await asyncio.sleep(LAG_WATCHED_S)
        return probe.lag()


def _loop() -> Finding:
    milliseconds = run_precisely(_watch_lag()).to_dict()
    detail = ", ".join(f"{name} {milliseconds[f'{name}_ms']:.2f} ms" for name in ("median", "p99"))
    fine = milliseconds["p99_ms"] <= BUSY_LAG_MS
    remedy = "this machine is busy: close other programs, or choose a larger --block-frames"
    return Finding("event loop lag", fine, detail, remedy, essential=False)
