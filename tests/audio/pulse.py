"""A PulseAudio server without hardware: what is played into its null sink can be recorded again.

PortAudio reaches it through ALSA's plug-in, as on a desktop.
"""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

_PLUGINS = "/usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so"

needs_pulse = pytest.mark.skipif(
    not shutil.which("pulseaudio") or not list(Path("/").glob(_PLUGINS[1:])),
    reason="PulseAudio is not installed: apt-get install pulseaudio pulseaudio-utils "
    "libasound2-plugins",
)

DEVICE = "pulse"
"""What PortAudio calls it."""

_ALSA = """
</usr/share/alsa/alsa.conf>
pcm.pulse { type pulse }
ctl.pulse { type pulse }
pcm.!default pulse
"""


class Pulse:
    """A server in a folder of its own; it can be ended, and begun again."""

    def __init__(self, folder):
        self._socket = folder / "native"
        configuration = folder / "asound.conf"
        configuration.write_text(_ALSA)
        self.env = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_SERVER": f"unix:{self._socket}",
            "ALSA_CONFIG_PATH": str(configuration),
            "JACK_NO_START_SERVER": "1",
        }
        self._server = None
        self.begin()

    def begin(self):
        command = ("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1")
        modules = (
            "module-null-sink sink_name=jamlab rate=48000",
            f"module-native-protocol-unix socket={self._socket} auth-anonymous=1",
        )
        loads = [f"--load={module}" for module in modules]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._server = subprocess.Popen([*command, *loads], env=self.env, **quiet)
        deadline_s = time.monotonic() + 20
        while subprocess.run(["pactl", "info"], env=self.env, capture_output=True).returncode:
            assert self._server.poll() is None, "pulseaudio did not start"
            assert time.monotonic() < deadline_s, "pulseaudio does not answer"
            time.sleep(0.02)

    def end(self):
        """End it at once, as a card that is pulled out."""
        self._server.kill()
        self._server.wait()


@contextmanager
def pulse(folder):
    server = Pulse(folder)
    try:
        yield server
    finally:
        server.end()
