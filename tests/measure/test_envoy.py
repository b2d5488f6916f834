"""Processes that are told what to do in lines, and tell in lines."""

import pytest

from jamlab.measure.envoy import envoy
from jamlab.measure.kernel_latency import PLAYER, SERVERS
from jamlab.measure.workers import WorkerError

pytestmark = pytest.mark.usefixtures("nothing_left")
TASK = {"host": "127.0.0.1", "key": "a secret of our own"}


def anywhere(*command):
    return command


async def test_it_does_as_it_is_told_until_it_is_dismissed():
    async with envoy("the hub", SERVERS, TASK, anywhere) as hub:
        told = await hub.told()
        assert told["hub"].startswith("ws://127.0.0.1:")
        assert await hub.dismiss() == {"served": True}
        assert hub._process.returncode == 0


async def test_one_that_is_left_is_ended():
    async with envoy("the hub", SERVERS, TASK, anywhere) as hub:
        await hub.told()
        process = hub._process
        assert process.returncode is None
    assert process.returncode == -9


async def test_one_that_fails_says_why():
    async with envoy("the hub", SERVERS, TASK | {"host": "192.0.2.1"}, anywhere) as hub:
        with pytest.raises(WorkerError, match=r"^the process of the hub ended: .*192\.0\.2\.1"):
            await hub.told()


async def test_one_that_ends_without_a_word_is_missed():
    async with envoy("player 1", PLAYER, {}, anywhere) as player:
        with pytest.raises(WorkerError, match=r"^the process of player 1 ended: KeyError: 'ice'"):
            await player.told()


async def test_what_runs_elsewhere_is_said_by_who_knows_how():
    commands = []

    def noted(*command):
        commands.append(command)
        return command

    async with envoy("the hub", SERVERS, TASK, noted) as hub:
        await hub.told()
    ((_, *module),) = commands
    assert module == ["-m", SERVERS]
