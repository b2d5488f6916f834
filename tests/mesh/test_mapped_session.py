"""``jamlab join`` behind a real router's daemon: its ports are mapped, and no longer at the end."""

import os
import signal
import subprocess
import sys
from functools import partial

import pytest

from jamlab.mesh.session import JamSession
from jamlab.networks.kernel import namespace
from jamlab.signaling.endpoint import KEY_VARIABLE
from jamlab.signaling.hub.server import Hub
from jamlab.signaling.supabase.channel import SupabaseChannel
from tests.leaks import DEADLINE_S, until
from tests.networks.port_mapping.router import PEER, home, needs_miniupnpd


def join(built, hub):
    """Start ``jamlab join`` inside the home."""
    inside = ["nsenter", f"--net={namespace.NAMES / built.inside}", "--"]
    command = [sys.executable, "-m", "jamlab", "join", "room", "--name", "ada", "--hub", hub.url]
    return subprocess.Popen(
        [*inside, *command],
        env={**os.environ, KEY_VARIABLE: hub.key},
        stdout=subprocess.DEVNULL,
    )


async def meet(built, number):
    """Meet a participant inside from outside, then send it a signal; return the mapped ports."""
    async with Hub(PEER, key="a key of enough length") as hub:
        signaling = partial(SupabaseChannel, url=hub.url, key=hub.key)
        async with JamSession("room", "ben", signaling=signaling) as ben:
            process = join(built, hub)
            try:
                await ben.wait_connected(DEADLINE_S, "ada")
                await until(built.mapped_ports, "for a mapped port")
                mapped = built.mapped_ports()
                process.send_signal(number)
                await until(lambda: process.poll() is not None, "for the end of the process")
                return mapped, process.returncode
            finally:
                process.kill()
                process.wait()


@pytest.mark.slow
@needs_miniupnpd
@pytest.mark.parametrize(
    ("number", "settings"),
    [
        (signal.SIGTERM, ("enable_natpmp=no", "enable_upnp=yes")),
        (signal.SIGINT, ("enable_natpmp=yes", "enable_upnp=no")),
    ],
)
def test_a_mapped_port_is_gone_after_a_signal(number, settings):
    with home(*settings) as built:
        mapped, status = built.run(meet, built, number, in_outside=True)
        assert (len(mapped), status) == (1, 0)
        assert built.mapped_ports() == []
