"""A pool of processes, and what becomes of it."""

import os
import signal
import subprocess
import sys
from concurrent.futures import CancelledError
from contextlib import suppress

import psutil
import pytest

from jamlab.measure.across_networks.kernel import PLAYER, SERVERS
from jamlab.measure.processes import WorkerError, child_process, process_pool
from tests.leaks import DEADLINE_S

AT_WORK = """
import os, time
from jamlab.measure.processes import process_pool

if __name__ == "__main__":
    with process_pool() as pool:
        pool.submit(os.getpid).result()
        work = [pool.submit(time.sleep, 0.1) for _ in range(10_000)]
        print("at work", flush=True)
        work[-1].result()
"""


def test_work_is_done_in_other_processes():
    with process_pool() as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        assert [*pool.map(abs, range(-3, 0))] == [3, 2, 1]


def test_what_is_not_begun_is_given_up_when_something_fails():
    given = []
    with pytest.raises(ZeroDivisionError), process_pool() as pool:
        failing(pool, given)
    for future in given:
        with suppress(CancelledError):
            future.result(DEADLINE_S)
    assert given[-1].cancelled()


def failing(pool, given):
    given.extend(pool.submit(sum, range(10**6)) for _ in range(1000))
    raise ZeroDivisionError


def test_sigterm_ends_the_workers_too(tmp_path):
    script = tmp_path / "work.py"
    script.write_text(AT_WORK)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "at work\n"
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 128 + signal.SIGTERM
    _, alive = psutil.wait_procs(workers, timeout=DEADLINE_S)
    assert workers
    assert alive == []


pytestmark = pytest.mark.usefixtures("nothing_left")


TASK = {"host": "127.0.0.1", "key": "a secret of our own"}


def anywhere(*command):
    return command


async def test_it_does_as_it_is_told_until_it_is_dismissed():
    async with child_process("the hub", SERVERS, TASK, anywhere) as hub:
        told = await hub.told()
        assert told["hub"].startswith("ws://127.0.0.1:")
        assert await hub.dismiss() == {"served": True}
        assert hub._process.returncode == 0


async def test_one_that_is_left_is_ended():
    async with child_process("the hub", SERVERS, TASK, anywhere) as hub:
        await hub.told()
        process = hub._process
        assert process.returncode is None
    assert process.returncode == -9


async def test_one_that_fails_says_why():
    async with child_process("the hub", SERVERS, TASK | {"host": "192.0.2.1"}, anywhere) as hub:
        with pytest.raises(WorkerError, match=r"^the process of the hub ended: .*192\.0\.2\.1"):
            await hub.told()


async def test_one_that_ends_without_a_word_is_missed():
    async with child_process("player 1", PLAYER, {}, anywhere) as player:
        with pytest.raises(WorkerError, match=r"^the process of player 1 ended: KeyError: 'ice'"):
            await player.told()


async def test_what_runs_elsewhere_is_said_by_who_knows_how():
    commands = []

    def noted(*command):
        commands.append(command)
        return command

    async with child_process("the hub", SERVERS, TASK, noted) as hub:
        await hub.told()
    ((_, *module),) = commands
    assert module == ["-m", SERVERS]
