"""``jamlab doctor``: a check of everything that jamlab needs on this machine.

Run it first when something does not work, and add its output to a bug report.
"""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from jamlab.audio.portaudio import PORTAUDIO_REMEDY, DeviceError, portaudio
from jamlab.measure.connectivity.connects_here import connect_here, obstacle_of
from jamlab.measure.loop_lag import LagProbe, LoopLag
from jamlab.measure.provenance import machine, versions
from jamlab.measure.reaches_itself import unreachable
from jamlab.media.host_candidates import host_addresses, loopback_addresses
from jamlab.networks.kernel import coturn
from jamlab.networks.kernel import lab as kernel
from jamlab.networks.kernel.tun import why_no_tun
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
    """Make all checks; takes a second or two, for the loop's lag and a connection."""
    lag = run_precisely(_watch_lag())
    return [*_software(), _kernel(), _connection(), *_portaudio(), *_realtime(), _lab(), _loop(lag)]


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
    detail = f"two peer connections connected in {made.time_to_connect_s:.2f} s"
    if host_addresses() == loopback_addresses():
        detail += " over the loopback: this machine has no other network"
    return Finding(subject, True, detail)


def _portaudio() -> Iterator[Finding]:
    """Check PortAudio, and list its devices."""
    try:
        sounddevice = portaudio()
    except DeviceError as error:
        remedy = f"only real sound cards need it: {PORTAUDIO_REMEDY}"
        yield Finding("PortAudio", False, str(error.__cause__), remedy, essential=False)
        return
    yield Finding("PortAudio", True, sounddevice.get_portaudio_version()[1])
    devices = list(sounddevice.query_devices())
    for device in devices:
        channels = f"{device['max_input_channels']} in, {device['max_output_channels']} out"
        yield Finding(f"device {device['index']}", True, f"{device['name']} ({channels})")
    if not devices:
        remedy = "plug in a sound card, or use the virtual one, which is the default"
        yield Finding("sound card", False, "PortAudio finds none", remedy, essential=False)


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


async def _watch_lag() -> LoopLag:
    with LagProbe() as probe:
        await asyncio.sleep(LAG_WATCHED_S)
        return probe.lag()


def _loop(lag: LoopLag) -> Finding:
    milliseconds = lag.to_dict()
    detail = ", ".join(f"{name} {milliseconds[f'{name}_ms']:.2f} ms" for name in ("median", "p99"))
    fine = milliseconds["p99_ms"] <= BUSY_LAG_MS
    remedy = "this machine is busy: close other programs, or choose a larger --block-frames"
    return Finding("event loop lag", fine, detail, remedy, essential=False)
