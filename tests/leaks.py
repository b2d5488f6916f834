"""Checks for leaks: tasks, threads, sockets, warnings and unhandled exceptions."""

import asyncio
import gc
import threading
from contextlib import asynccontextmanager

import psutil

DEADLINE_S = 30.0


async def until(condition, what="", deadline_s=DEADLINE_S):
    """Wait for a condition; fail after a deadline that is long even for a slow machine."""
    try:
        async with asyncio.timeout(deadline_s):
            while not condition():  # noqa: ASYNC110 (conditions of any kind have no event)
                await asyncio.sleep(0.01)
    except TimeoutError:
        what = what() if callable(what) else what
        raise AssertionError(f"waited {deadline_s:g} s in vain {what}") from None


def sockets():
    """Return the open internet sockets of this process."""
    return {(c.fd, c.laddr) for c in psutil.Process().net_connections(kind="inet")}


def _held():
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    return {*tasks, *threading.enumerate(), *sockets()}


@asynccontextmanager
async def nothing_left():
    """Fail if the code in the context leaks a task, a thread, a socket or an exception."""
    loop = asyncio.get_running_loop()
    unseen = []
    loop.set_exception_handler(lambda _, context: unseen.append(context))
    before = _held()
    try:
        yield
    finally:
        # aiortc's last tasks end one or two iterations of the loop after their cancellation
        await until(lambda: _held() <= before, lambda: f"for the release of {_held() - before}")
        gc.collect()  # objects that warn at their destruction warn here; warnings are errors
        await asyncio.sleep(0)
        loop.set_exception_handler(None)
        assert unseen == []
