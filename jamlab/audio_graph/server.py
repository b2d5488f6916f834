"""Child process that runs a private audio server, and removes it with its folder at the end.

It is the parent of PipeWire, WirePlumber and pipewire-pulse. They end when it ends, however that
happens, and it ends when its own parent does: its standard input is then closed.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jamlab.audio_graph.configuration import (
    PIPEWIRE,
    PIPEWIRE_SOCKET,
    PULSE,
    PULSE_SOCKET,
    write_configuration,
)
from jamlab.audio_graph.plan import (
    AudioGraphError,
    GraphPlan,
    ears,
    loudspeaker_inputs,
    microphone_inputs,
    mouths,
)
from jamlab.process.parent import receive, send
from jamlab.process.signals import sigterm_unwinds

_PATIENCE_S = 30.0
_ENDING_S = 5.0
_LOOK_S = 0.02


def server_environment(folder: Path) -> dict[str, str]:
    """Return the environment of the servers: all that they could find of the user's is replaced."""
    own = {
        name: str(folder)
        for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
    }
    return {
        **{name: text for name, text in os.environ.items() if not name.startswith("PIPEWIRE_")},
        **own,
        "XDG_CACHE_HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "DBUS_SESSION_BUS_ADDRESS": "disabled:",
    }


class Servers:
    """The audio server's processes, the first of which the others need."""

    def __init__(self, plan: GraphPlan, folder: Path) -> None:
        self._plan, self._folder = plan, folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = server_environment(folder)

    def begin(self) -> None:
        """Start all; return when all devices are there and PulseAudio's clients are let in."""
        write_configuration(self._plan, self._folder)
        self._start("pipewire", "-c", str(self._folder / PIPEWIRE))
        self._await_socket(self._folder / PIPEWIRE_SOCKET)
        self._start("wireplumber")
        self._start("pipewire-pulse", "-c", str(self._folder / PULSE))
        self._await_socket(self._folder / PULSE_SOCKET)
        self._await_devices()

    def _start(self, program: str, *arguments: str) -> None:
        with self._log(program).open("wb") as log:
            self._processes[program] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", program, *arguments],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _log(self, program: str) -> Path:
        return self._folder / f"{program}.log"

    def _await_socket(self, path: Path) -> None:
        for _ in self._looking(f"a socket {path.name}"):
            with socket.socket(socket.AF_UNIX) as client:
                if client.connect_ex(str(path)) == 0:
                    return

    def _await_devices(self) -> None:
        wanted = {
            port
            for player in self._plan.players
            for ports in (microphone_inputs, mouths, loudspeaker_inputs, ears)
            for port in ports(player)
        }
        for _ in self._looking("the players' devices"):
            if self._managed() and wanted <= set(
                self._told("pw-link", "--output", "--input").split()
            ):
                return

    def _managed(self) -> bool:
        """Return whether the session manager is done with the devices: it has chosen defaults."""
        chosen = self._told("pw-metadata", "-n", "default", "0")
        return "'default.audio.sink'" in chosen and "'default.audio.source'" in chosen

    def _told(self, *command: str) -> str:
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False
        ).stdout

    def _looking(self, wanted: str) -> Iterator[None]:
        """Yield until the caller has found what is wanted; raise an error if it takes too long."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline_s:
            yield
            for program, process in self._processes.items():
                if process.poll() is not None:
                    raise AudioGraphError(f"{program} has ended: {self._last_words(program)}")
            time.sleep(_LOOK_S)
        raise AudioGraphError(f"{wanted} did not come up within {_PATIENCE_S:g} s")

    def _last_words(self, program: str) -> str:
        lines = self._log(program).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"

    def end(self) -> None:
        """End all processes, the last one first, and wait for them."""
        for process in reversed(self._processes.values()):
            process.terminate()
        deadline_s = time.monotonic() + _ENDING_S
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def running(plan: GraphPlan, folder: Path) -> Iterator[None]:
    """Run a server in a folder while the context lasts; the folder is then removed."""
    servers = Servers(plan, folder)
    try:
        servers.begin()
        yield
    finally:
        servers.end()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Run the parent's server until the parent asks for its end, or ends; then remove it."""
    task = receive()
    with sigterm_unwinds(), running(GraphPlan(**task["plan"]), Path(task["folder"])):
        send("ready")
        receive()
    send(None)


if __name__ == "__main__":
    main()
