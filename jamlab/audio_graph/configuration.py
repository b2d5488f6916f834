"""Configuration files of a private PipeWire, its session manager and its PulseAudio door.

Nothing of the machine's own sound system is read or used: no devices, no D-Bus session, no stored
settings. The null sinks that are the players' devices belong to one *node group* with the dummy
driver, which has the highest priority, so that one timer on the monotonic clock drives all of them,
and everything that is linked to them, whether the devices are linked to each other or not.

Real-time priority is asked for as a desktop does, of RTKit on the system's D-Bus if need be. The
quantum is the period and nothing else: the lowest, the default and the highest. PulseAudio's
clients may ask for as little as the period.

WirePlumber links the applications' streams to the device they ask for. Versions 0.4 read the Lua
files, versions from 0.5 on the ``.conf`` file; either ignores the other's.
"""

from pathlib import Path

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio_graph.plan import CHANNELS, GraphPlan, loudspeaker, microphone

PIPEWIRE, PULSE = "jamlab-graph.conf", "jamlab-pulse.conf"
"""Names that no fragment of the machine's configuration is meant for."""
ALSA = "asound.conf"
PIPEWIRE_SOCKET, PULSE_SOCKET = "pipewire-0", "pulse/native"
"""Sockets, in the servers' ``XDG_RUNTIME_DIR``."""

_GROUP = "jamlab"

_PIPEWIRE = """
context.properties = {{
    link.max-buffers = 16
    core.daemon = true
    core.name = pipewire-0
    default.clock.rate = {rate}
    default.clock.allowed-rates = [ {rate} ]
    default.clock.quantum = {period}
    default.clock.min-quantum = {period}
    default.clock.max-quantum = {period}
}}
context.spa-libs = {{
    audio.convert.* = audioconvert/libspa-audioconvert
    support.* = support/libspa-support
}}
context.modules = [
    {{ name = libpipewire-module-rt args = {{ nice.level = -11 }} flags = [ ifexists nofail ] }}
    {{ name = libpipewire-module-protocol-native }}
    {{ name = libpipewire-module-profiler }}
    {{ name = libpipewire-module-metadata }}
    {{ name = libpipewire-module-spa-node-factory }}
    {{ name = libpipewire-module-client-node }}
    {{ name = libpipewire-module-client-device }}
    {{ name = libpipewire-module-access }}
    {{ name = libpipewire-module-adapter }}
    {{ name = libpipewire-module-link-factory }}
    {{ name = libpipewire-module-session-manager }}
]
context.objects = [
    {{ factory = spa-node-factory args = {{
        factory.name = support.node.driver
        node.name = jamlab-clock
        node.group = {group}
        priority.driver = 30000
    }} }}
{devices}]
"""

_DEVICE = """    {{ factory = adapter args = {{
        factory.name = support.null-audio-sink
        node.name = {name}
        node.description = {name}
        media.class = {kind}
        audio.rate = {rate}
        audio.position = "{channels}"
        node.group = {group}
        priority.driver = 1000
        session.suspend-timeout-seconds = 0
    }} }}
"""

_PULSE = """
context.spa-libs = {{
    audio.convert.* = audioconvert/libspa-audioconvert
    support.* = support/libspa-support
}}
context.modules = [
    {{ name = libpipewire-module-rt args = {{ nice.level = -11 }} flags = [ ifexists nofail ] }}
    {{ name = libpipewire-module-protocol-native }}
    {{ name = libpipewire-module-client-node }}
    {{ name = libpipewire-module-adapter }}
    {{ name = libpipewire-module-metadata }}
    {{ name = libpipewire-module-protocol-pulse args = {{ }} }}
]
pulse.properties = {{
    server.address = [ "unix:native" ]
    pulse.min.req = {period}/{rate}
    pulse.min.frag = {period}/{rate}
    pulse.min.quantum = {period}/{rate}
}}
"""

_LUA = """
alsa_monitor.enabled = false
v4l2_monitor.enabled = false
libcamera_monitor.enabled = false
device_defaults.properties["use-persistent-storage"] = false
default_access.properties["enable-flatpak-portal"] = false
stream_defaults.properties["restore-props"] = false
stream_defaults.properties["restore-target"] = false
"""

_PROFILE = """
wireplumber.profiles = {
    main = {
        hardware.audio = disabled
        hardware.bluetooth = disabled
        hardware.video-capture = disabled
        support.portal-permissionstore = disabled
        support.reserve-device = disabled
        support.logind = disabled
    }
}
wireplumber.settings = {
    node.stream.restore-props = false
    node.stream.restore-target = false
}
"""

_ALSA = """
</usr/share/alsa/alsa.conf>
pcm.pulse { type pulse }
ctl.pulse { type pulse }
pcm.!default pulse
ctl.!default pulse
"""


def pipewire_configuration(plan: GraphPlan) -> str:
    """Return the configuration of the server with its clock and all players' devices."""
    names = [
        *((microphone(player), "Audio/Source/Virtual") for player in plan.players),
        *((loudspeaker(player), "Audio/Sink") for player in plan.players),
    ]
    channels = ",".join(CHANNELS)
    devices = "".join(
        _DEVICE.format(name=name, kind=kind, rate=SAMPLE_RATE, channels=channels, group=_GROUP)
        for name, kind in names
    )
    return _PIPEWIRE.format(
        rate=SAMPLE_RATE, period=plan.period_frames, group=_GROUP, devices=devices
    )


def pulse_configuration(plan: GraphPlan) -> str:
    """Return the configuration of the door for PulseAudio's clients."""
    return _PULSE.format(rate=SAMPLE_RATE, period=plan.period_frames)


def write_configuration(plan: GraphPlan, folder: Path) -> None:
    """Write all files into a folder, which is then the servers' ``XDG_CONFIG_HOME``, too."""
    files = {
        PIPEWIRE: pipewire_configuration(plan),
        PULSE: pulse_configuration(plan),
        ALSA: _ALSA,
        "wireplumber/main.lua.d/60-jamlab.lua": _LUA,
        "wireplumber/bluetooth.lua.d/60-jamlab.lua": "bluez_monitor.enabled = false\n",
        "wireplumber/wireplumber.conf.d/60-jamlab.conf": _PROFILE,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
