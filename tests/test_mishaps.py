"""Random failures of real processes: participants and their hub are killed and restarted.

Ada and Dan play and listen in this process; Ben, who echoes, Cleo, who is silent, and the hub are
separate processes. A killed process (SIGKILL) sends no farewell.
"""

import asyncio
import os
import random
import re
import sys
from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest

from tests.cli.test_join import joined, member
from tests.leaks import until

pytestmark = pytest.mark.usefixtures("nothing_left")

SOUNDING = {"ada", "dan"}


class HubProcess:
    """A process of ``jamlab serve``, on the same port after each restart."""

    def __init__(self):
        self.key = "sb_test_key_77"
        self._port = 0
        self._process = None

    async def start(self):
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jamlab", "serve", "--port", str(self._port)),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "JAMLAB_HUB_KEY": self.key},
        )
        line = (await self._process.stdout.readline()).decode()
        self.url = re.fullmatch(r"Listening at (ws://\S+)\n", line)[1]
        self._port = int(re.search(r":(\d+)/", self.url)[1])

    async def kill(self):
        self._process.kill()
        await self._process.communicate()


class Jam:
    """A hub, two listening participants, and two in separate processes."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.hub = HubProcess()
        self.log = []
        self._processes = {}

    async def start(self, name):
        options = ["--quality", "high-quality"]  # few packets: five processes share a machine
        options += ["--echo"] if name == "ben" else []
        stack = self._processes[name] = AsyncExitStack()
        await stack.enter_async_context(joined(self.hub, name, *options))

    async def kill(self, name):
        await self._processes.pop(name).aclose()

    async def close(self):
        for name in [*self._processes]:
            await self.kill(name)
        await self.hub.kill()

    # The kinds of failure

    async def participant_killed(self, name):
        await self.kill(name)
        await self.start(name)

    async def hub_killed(self, _name):
        await self.hub.kill()
        await asyncio.sleep(self.rng.uniform(0, 2))
        await self.hub.start()

    async def participant_killed_while_the_hub_is_away(self, name):
        await self.hub.kill()
        await self.kill(name)
        await self.hub.start()
        await self.start(name)

    MISHAPS = participant_killed, hub_killed, participant_killed_while_the_hub_is_away

    async def go_wrong(self):
        for mishap in self.rng.sample(self.MISHAPS, 2):
            name = self.rng.choice(("ben", "cleo"))
            self.log.append((mishap.__name__, name))
            await mishap(self, name)


async def all_hear_all(members, log):
    def deaf():
        return {one.name: sorted(one.hears) for one in members if one.hears != SOUNDING}

    await until(lambda: not deaf(), lambda: f"after {log}: {deaf()}", 60)
    for one in members:
        others = {"ada", "ben", "cleo", "dan"} - {one.name}
        await one.session.wait_connected(60, *others)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
async def test_everybody_who_is_alive_hears_everybody(seed):
    jam = Jam(seed)
    try:
        await jam.hub.start()
        hub = SimpleNamespace(url=jam.hub.url, key=jam.hub.key)
        members = [member(hub, name) for name in sorted(SOUNDING)]
        async with members[0].session, members[1].session:
            await jam.start("ben")
            await jam.start("cleo")
            await all_hear_all(members, jam.log)
            await jam.go_wrong()
            await all_hear_all(members, jam.log)
    finally:
        await jam.close()
