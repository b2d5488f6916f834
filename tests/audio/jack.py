"""A JACK server without hardware."""

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager

import pytest

from jamlab.process.real_time import RealTime

needs_jack = pytest.mark.skipif(
    not all(shutil.which(name) for name in ("jackd", "jack_iodelay", "stdbuf")),
    reason="JACK is not installed: apt-get install jackd2",
)


NAME = f"jamlab-test-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
"""Of the server: JACK remembers eight that were killed, by their names, and takes no more."""


DEVICE = "system"
"""What PortAudio calls the server. Where ALSA has its JACK plug-in, that is the default instead."""


class Jack:
    """A server at work."""

    def __init__(self, period, real_time=False, name=NAME, rate=48_000):
        self.env = {**os.environ, "JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
        priority = "-R" if real_time else "-r"
        command = f"jackd -n {name} {priority} --no-mlock -d dummy -r {rate} -p {period}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._server = subprocess.Popen(command.split(), stdout=self._log, stderr=self._log)
        self.run("jack_wait", "-w", "-t", "10")
        assert self._server.poll() is None, "jackd did not start: is /dev/shm writable?"

    def xruns(self):
        """Return how many lines of its log tell of one: its own, or a client's."""
        return os.pread(self._log.fileno(), 1 << 24, 0).count(b"XRun")

    def run(self, *command):
        """Run a client of the server; returns what it prints."""
        return subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=30
        ).stdout

    def port(self, client, port):
        """Wait for a port, and return its whole name."""
        deadline_s = time.monotonic() + 20
        while time.monotonic() < deadline_s:
            for name in self.run("jack_lsp").splitlines():
                if name.startswith(client) and name.endswith(port):
                    return name
            time.sleep(0.02)
        raise AssertionError(f"JACK has no port {port} of {client}")

    def connect(self, source, sink):
        self.run("jack_connect", source, sink)

    def end(self):
        self._server.terminate()
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._log.close()


def real_time_allowed():
    realtime = RealTime()
    allowed = realtime.ask()
    realtime.give_back()
    return allowed


@contextmanager
def jack(period, real_time=False, name=NAME, rate=48_000):
    server = Jack(period, real_time, name, rate)
    try:
        yield server
    finally:
        server.end()


@contextmanager
def iodelay(server, source, sink):
    """Run ``jack_iodelay`` from its output to `sink`, and from `source` back to it.

    Yields a function that waits for a reading that comes three times in a row, in frames: one of
    them can be of a period in which somebody was late.
    """
    command = "stdbuf", "-oL", "jack_iodelay"
    process = subprocess.Popen(command, env=server.env, stdout=subprocess.PIPE, text=True)
    try:
        server.connect(server.port("jack_delay", ":out"), sink)
        server.connect(source, server.port("jack_delay", ":in"))

        def reading():
            last = []
            for line in process.stdout:
                if "total roundtrip latency" in line:
                    last = [*last[-2:], round(float(line.split()[0]), 1)]
                if len(last) == 3 and len(set(last)) == 1:
                    return last[0]
            raise AssertionError("jack_iodelay has ended")

        yield reading
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
