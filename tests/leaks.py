"""Whether something was left behind: tasks, threads, sockets, warnings, exceptions nobody saw."""

import asyncio
import gc
import threading
from contextlib import asynccontextmanager

import psutil

DEADLINE_S = 30.0


async def until(condition, what="", deadline_s=DEADLINE_S):
    """Wait for a condition, for long enough that only a condition that never comes fails."""
    try:
        async with asyncio.timeout(deadline_s):
            while not condition():  # noqa: ASYNC110 (conditions of any kind have no event)
                await asyncio.sleep(0.01)
    except TimeoutError:
        what = what() if callable(what) else what
        raise AssertionError(f"waited {deadline_s:g} s in vain {what}") from None


def sockets():
    """Internet sockets this process has open."""
    return {(c.fd, c.laddr) for c in psutil.Process().net_connections(kind="inet")}


def _held():
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    return {*tasks, *threading.enumerate(), *sockets()}


@asynccontextmanager
async def nothing_left():
    """Fail when what runs within leaves anything behind."""
    loop = asyncio.get_running_loop()
    unseen = []
    loop.set_exception_handler(lambda _, context: unseen.append(context))
    before = _held()
    try:
        yield
    finally:
        # aiortc's last tasks end a turn or two of the loop after they were told to
        await until(lambda: _held() <= before, lambda: f"for the release of {_held() - before}")
        gc.collect()  # what warns when it is destroyed warns here, and warnings are errors
        await asyncio.sleep(0)
        loop.set_exception_handler(None)
        assert unseen == []
