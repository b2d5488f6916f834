"""The pool of processes and its end."""

import asyncio
import os
import signal
import subprocess
import sys
from concurrent.futures import CancelledError
from contextlib import suppress

import psutil
import pytest

from jamlab.measure import processes
from jamlab.measure.processes import process_pool, run_worker
from jamlab.process.child import ChildError
from tests.leaks import DEADLINE_S

AT_WORK = """
import os, time
from jamlab.measure.processes import process_pool, run_worker
from jamlab.process.child import ChildError

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


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_end_of_the_parent_is_the_workers_too(tmp_path, end):
    script = tmp_path / "work.py"
    script.write_text(AT_WORK)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "at work\n"
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(end)
        status = process.wait(DEADLINE_S)
        assert status == (128 + end if end == signal.SIGTERM else -end)
    _, alive = psutil.wait_procs(workers, timeout=DEADLINE_S)
    assert workers
    assert alive == []


@pytest.mark.parametrize("stray", ["3", "[0.5]", '{"done": 1}', '["half", "way"]'])
async def test_a_stray_line_of_a_worker_is_told(tmp_path, monkeypatch, stray):
    (tmp_path / "stray_worker.py").write_text(
        f"import sys\nsys.stdin.readline()\nprint({stray!r})\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ChildError, match=r"the measurement sent .* in place of its progress"):
        await run_worker("stray_worker", None, tmp_path, lambda *_: None)


async def test_a_worker_that_says_nothing_more_is_told_of_again(tmp_path, monkeypatch):
    (tmp_path / "quiet_worker.py").write_text(
        "import json, sys\n"
        "sys.stdin.readline()\n"
        "print(json.dumps([0.5, 'searching']), flush=True)\n"
        "sys.stdin.readline()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(processes, "RETELL_S", 0.01)
    enough, told = asyncio.Event(), []

    def tell(*said):
        told.append(said)
        if told[-3:] == [(0.5, "searching")] * 3:
            enough.set()

    running = asyncio.create_task(run_worker("quiet_worker", None, tmp_path, tell))
    await asyncio.wait_for(enough.wait(), DEADLINE_S)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {*told} <= {(0.0, "starting"), (0.5, "searching")}
