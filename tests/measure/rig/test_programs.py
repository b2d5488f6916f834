"""Tests of jamlab.measure.rig.programs, with shells in place of programs."""

import asyncio
import os
import shutil

import psutil
import pytest

from jamlab.measure.rig import programs as module
from jamlab.measure.rig.programs import Programs, RigError
from tests.leaks import until

pytestmark = pytest.mark.skipif(
    not shutil.which("setpriv"), reason="setpriv is not installed: apt-get install util-linux"
)

DEAF = "trap '' TERM; sleep 300 & echo ready; wait; sleep 300"


async def started(programs, script, name="ada"):
    await programs.start(name, f"{name}'s program", ("sh", "-c", script), {"WHO": name})


def of_session(pid):
    """Return the processes of a session."""
    found = []
    for each in psutil.process_iter():
        try:
            if os.getsid(each.pid) == pid and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


async def never():
    await asyncio.Event().wait()


async def test_a_program_has_its_player_s_environment_and_no_input(tmp_path, nothing_left):
    async with Programs(tmp_path) as programs:
        await started(programs, "cat; echo $WHO is here >&2; sleep 300")
        await until(lambda: programs.last_words("ada"))
        assert programs.last_words("ada") == "ada is here"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "exit 3",
            r"ada's program ended with status 3 after .* s \(sh -c 'exit 3'\), without a word",
        ),
        ("echo a; echo no such room >&2; echo b", "status 0 .*its last words were: no such room$"),
        ("echo no server >&2; echo ------ >&2; exit 1", "its last words were: no server$"),
        ("echo only this", "its last words were: only this$"),
        ("kill -SEGV $$", "ended by SIGSEGV"),
        (r"printf 'bad \377 byte\n\n' >&2; exit 1", "its last words were: bad \ufffd byte"),
    ],
)
async def test_a_program_that_ends_ends_the_work_with_its_last_words(
    tmp_path, nothing_left, script, words
):
    async with Programs(tmp_path) as programs:
        await started(programs, script)
        with pytest.raises(RigError, match=words):
            await programs.unless_ended(never())


async def test_work_that_is_done_returns_what_it_found(tmp_path, nothing_left):
    async with Programs(tmp_path) as programs:
        await started(programs, "sleep 300")

        async def work():
            return 7

        assert await programs.unless_ended(work()) == 7


async def test_the_fault_of_the_work_is_raised(tmp_path, nothing_left):
    async with Programs(tmp_path) as programs:
        await started(programs, "sleep 300")

        async def work():
            raise LookupError("lost")

        with pytest.raises(LookupError, match="lost"):
            await programs.unless_ended(work())


async def test_a_program_that_is_not_there_is_named(tmp_path):
    async with Programs(tmp_path) as programs:
        with pytest.raises(RigError, match="there is no program 'no-such-program' here"):
            await programs.start("ada", "ada's program", ("no-such-program",), {})


@pytest.mark.parametrize("script", ["sleep 300 & sleep 300", DEAF])
async def test_whole_groups_are_ended_even_deaf_ones(tmp_path, monkeypatch, nothing_left, script):
    monkeypatch.setattr(module, "_ENDING_S", 0.2)
    async with Programs(tmp_path) as programs:
        for name in ("ada", "ben"):
            await started(programs, script, name)
        pids = [each.process.pid for each in programs._programs]
        await until(lambda: all(len(of_session(pid)) >= 2 for pid in pids))
    await until(lambda: not any(map(of_session, pids)))


async def test_a_group_is_ended_whose_first_process_has_gone(tmp_path, nothing_left):
    async with Programs(tmp_path) as programs:
        await started(programs, "sleep 300 & exit 0")
        with pytest.raises(RigError, match="status 0"):
            await programs.unless_ended(never())
        (program,) = programs._programs
        assert of_session(program.process.pid)
    await until(lambda: not of_session(program.process.pid))


async def test_a_cancelled_end_kills_all_the_same(tmp_path, nothing_left):
    entered = asyncio.Event()

    async def run():
        async with Programs(tmp_path) as programs:
            await started(programs, DEAF)
            await until(lambda: programs.last_words("ada") == "ready")
            pids.append(programs._programs[0].process.pid)
        entered.set()

    pids = []
    task = asyncio.create_task(run())
    await until(lambda: pids)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not of_session(pids[0]))


async def test_a_process_belongs_to_the_program_that_started_it(tmp_path, nothing_left):
    async with Programs(tmp_path) as programs:
        await started(programs, "sleep 300 & wait")
        (program,) = programs._programs
        await until(lambda: len(of_session(program.process.pid)) >= 2)
        assert {programs.owner(each.pid) for each in of_session(program.process.pid)} == {"ada"}
        assert programs.owner(os.getpid()) is None
        assert programs.owner(0) is None
        ended = program.process.pid
    assert programs.owner(ended) is None
