"""Control of the pauses by Python's garbage collector and by computing threads.

A full collection visits every object. With the scientific libraries loaded it takes a tenth of a
second, at any allocation. During a measurement there are no collections (`collector_paused`), and a
campaign determines their times itself (`collecting_every`).

While sound plays, pauses are frequent but short (`ShortPauses`). One full collection runs when
sound begins, and `gc.freeze` then exempts the surviving objects. Newer objects are collected in
small portions while they are young; the old generation, e.g. the remains of closed connections and
of a notebook's plots, waits until sound ends.

A computing thread, say in a notebook, holds the interpreter for five milliseconds at a time by
default (`sys.setswitchinterval`), which is two to four blocks; while sound plays it is a tenth of a
millisecond.

Both settings of `ShortPauses` apply to the whole process, so cards share them, and the last card to
stop restores the earlier ones.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

THRESHOLDS = 200, 5, 1_000_000
"""Arguments of `gc.set_threshold`: the old generation is practically never collected."""
SWITCH_INTERVAL_S = 0.0001
"""Argument of `sys.setswitchinterval`."""

_holders = 0
_before = gc.get_threshold(), sys.getswitchinterval()


class ShortPauses:
    """The interpreter's settings for short pauses, requested and given back."""

    def __init__(self) -> None:
        self._held = False

    def ask(self) -> None:
        """Keep pauses short from now on, after one full collection. A second call does nothing."""
        global _before, _holders
        if self._held:
            return
        if _holders == 0:
            gc.collect()
            gc.freeze()
            _before = gc.get_threshold(), sys.getswitchinterval()
            gc.set_threshold(*THRESHOLDS)
            sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._held = True
        _holders += 1

    def give_back(self) -> None:
        """Restore the settings when the last holder gives them back. A second call does nothing."""
        global _holders
        if not self._held:
            return
        self._held = False
        _holders -= 1
        if _holders == 0:
            gc.unfreeze()
            thresholds, switch_interval_s = _before
            gc.set_threshold(*thresholds)
            sys.setswitchinterval(switch_interval_s)


@contextmanager
def collector_paused(collect: bool = True) -> Iterator[None]:
    """Keep Python's garbage collector from running inside the context.

    A full collection runs first; give False for `collect` while sound plays that is measured.
    """
    enabled = gc.isenabled()
    if collect:
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def collecting_every(times: int) -> Iterator[Callable[[], None]]:
    """Yield a function to call after each step; every ``times``-th call runs the collector.

    Only young generations are collected: for steps whose reference cycles do not survive them.
    """
    steps = 0

    def done() -> None:
        nonlocal steps
        steps += 1
        if steps % times == 0:
            gc.collect(1)

    with collector_paused(collect=False):
        yield done
