"""Who does the work of a run, and who is told how far it is."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeAlias

from jamlab.process.signals import sigterm_unwinds

Progress: TypeAlias = Callable[[float, str], None]
"""Takes the share done, 0 to 1, and what is being done."""


@contextmanager
def process_pool() -> Iterator[Executor]:
    """Yield a process on every core; what is not begun is given up when the context fails.

    They are spawned, not forked: the parent may have threads, as a notebook's kernel has. SIGTERM
    ends the context, too, or they would outlive who was to wait for them.
    """
    pool = ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))
    try:
        with sigterm_unwinds():
            yield pool
    except BaseException:
        # once: a second time would take it back that futures are to be cancelled
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
